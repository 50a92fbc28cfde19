"""The structure of a network. Only this file says how the kinds of networks differ.

"egstalker" and "gaussiantalker" are the networks of the official code (docs/method.md §3). "paper"
is the method as the paper describes it (§1.3); the official code differs from it (§2):

    X       = KAN(tri-plane features - 1)        once for each avatar: the encoder; the planes
                                                 are hash tables (numpy/hash_grid.py)
    code    = attention over the eight window codes + PPE, a periodic encoding of time
    tokens  = KANs of code, eye, pose, nothing   pose standardised and clipped, eye code of slow
                                                 waves
    h       = ESAA and feed-forward as in EGSTalker, without an encoding of the token's index
    offsets = KAN(tanh(KAN(h)))                  one decoder for all attributes

ESAA's agents are the first Gaussians; training puts those that are farthest apart first. The
decoder moves 14 values a Gaussian: position, log-scale, quaternion, opacity and the constant
spherical harmonic; the harmonics that depend on the viewing direction stay canonical.

Parts of a "paper" network can be left out: without KANs its layers are linear (and ReLU replaces
tanh), without ESAA its attention is GaussianTalker's, without PPE that table is zero, without hash
tables its planes are dense, as the official ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

from ..records.gaussians import ATTRIBUTES
from ..records.weights import EGSTALKER, GAUSSIANTALKER, PAPER, NetworkWeights
from .names import (
    AUDIO_LAYERS,
    CONSTANTS,
    DECODER,
    ENCODER,
    HASH_LEVELS,
    HASH_TABLE,
    HEADS,
    TOKEN_MLPS,
    attention_name,
    grid_name,
    has_static_heads,
    is_kan,
    kan_names,
    layer_count,
    layer_prefix,
    level_count,
    linear_names,
)

_ENDS = list(accumulate(attribute.base for attribute in ATTRIBUTES))
# The columns of the decoder's output that move an attribute, and how many there are.
COLUMNS = {a.name: slice(end - a.base, end) for a, end in zip(ATTRIBUTES, _ENDS, strict=True)}
DECODED = _ENDS[-1]


@dataclass(frozen=True)
class Architecture:
    """kind: its name in files. official: the official code has this kind.

    kan: the token layers, the encoder and the decoder are TaylorKANs; linear layers otherwise.
    esaa: attention through agents; multi-head attention over the tokens otherwise. hashed: the
    tri-plane's levels are hash tables; dense planes otherwise. optional: a network of this kind may
    lack any of the three; the names of its tensors show it. heads: of the attention;
    ESAA has one head, whose scale this number sets. agents: how many of the first Gaussians are
    agents, 0 without ESAA. positions: the tokens that ESAA attends to carry an encoding of their
    index. encoder: a layer between the tri-plane and the attention. decoder: one decoder moves
    `DECODED` values of a Gaussian; otherwise every attribute has its own head. constants: it has
    the untrained tensors of `names.CONSTANTS`, which standardise its inputs. static: it has the
    heads of the first training stage (docs/method.md §3.3). layers: of the transformer. levels:
    resolutions of the dense tri-plane. frozen: names of attributes that stay canonical.
    planes: lowest and highest value of a new tri-plane. token_gain: initial gain of the tokens'
    KANs."""

    kind: str
    official: bool
    kan: bool
    esaa: bool
    hashed: bool
    optional: bool
    heads: int
    positions: bool
    encoder: bool
    decoder: bool
    constants: bool
    static: bool
    planes: tuple[float, float]
    token_gain: float = 1.0
    agents: int = 0
    layers: int = 1
    levels: int = 2
    frozen: frozenset[str] = frozenset()

    @property
    def widths(self) -> dict[str, int]:
        """Attribute -> how many of its values the network moves, without frozen attributes."""
        return {
            a.name: a.base if self.decoder else a.width
            for a in ATTRIBUTES
            if a.name not in self.frozen
        }

    @property
    def attention_layers(self) -> tuple[str, ...]:
        """Names of the linear layers of one attention."""
        return ("agent_linear",) if self.esaa else ("w_q", "w_k", "w_v", "w_concat")


_OFFICIAL = Architecture(
    kind=EGSTALKER,
    official=True,
    kan=True,
    esaa=True,
    hashed=False,
    optional=False,
    heads=16,
    positions=True,
    encoder=False,
    decoder=False,
    constants=False,
    static=True,
    planes=(0.1, 0.5),
)
KINDS = {
    EGSTALKER: _OFFICIAL,
    GAUSSIANTALKER: replace(
        _OFFICIAL, kind=GAUSSIANTALKER, kan=False, esaa=False, heads=2, positions=False
    ),
    PAPER: Architecture(
        kind=PAPER,
        official=False,
        kan=True,
        esaa=True,
        hashed=True,
        optional=True,
        heads=16,
        positions=False,
        encoder=True,
        decoder=True,
        constants=True,
        static=False,
        # Products around 1 that vary over space: nearly constant planes make the first steps
        # insensitive to sound.
        planes=(0.6, 1.4),
        token_gain=2.0,
    ),
}


def architecture_of(weights: NetworkWeights) -> Architecture:
    """The architecture of weights of a known kind."""
    found = architecture_named(weights.kind, weights.arrays)
    return replace(
        found,
        heads=weights.heads or found.heads,
        agents=weights.agents if found.esaa else 0,
        frozen=weights.frozen,
    )


def architecture_named(kind: str, arrays: Mapping[str, Any]) -> Architecture:
    """The architecture that follows from the kind and the names of the tensors, with default heads,
    agents and frozen attributes."""
    found = KINDS[kind]
    if found.optional:
        multi_head = f"{attention_name(0)}w_q.weight" in arrays
        kan, hashed = is_kan(arrays, DECODER[0]), HASH_LEVELS in arrays
        found = replace(found, kan=kan, esaa=not multi_head, hashed=hashed)
    return replace(
        found,
        layers=layer_count(arrays),
        levels=level_count(arrays),
        static=has_static_heads(arrays),
    )


def kind_of(arrays: Mapping[str, Any]) -> str | None:
    """The official kind that has these names (without the leading "deformation_net."), or None."""
    for kind, found in KINDS.items():
        parameter = "taylor_coeffs" if found.kan else "weight"
        if found.official and f"{TOKEN_MLPS[0]}.net.0.{parameter}" in arrays:
            return kind
    return None


def tensor_names(architecture: Architecture) -> tuple[str, ...]:
    """Names, without the leading "deformation_net.", of every tensor that inference reads, in the
    order of an .egs file. Anything else in an official file may be dropped."""
    kan = architecture.kan
    names = ["null_vector", "tri_plane.grid.aabb"]
    planes = [grid_name(level, plane) for level in range(architecture.levels) for plane in range(3)]
    names += [HASH_LEVELS, HASH_TABLE] if architecture.hashed else planes
    for layer in AUDIO_LAYERS:
        names += linear_names(layer)
    for index in range(architecture.layers):
        prefix = layer_prefix(index)
        for layer in architecture.attention_layers:
            names += linear_names(f"{attention_name(index)}{layer}")
        names += [f"{prefix}{norm}.{p}" for norm in ("norm1", "norm2") for p in ("gamma", "beta")]
        names += [*linear_names(f"{prefix}ffn.linear1"), *linear_names(f"{prefix}ffn.linear2")]
    if architecture.constants:
        names += CONSTANTS
    for layer in (f"{mlp}.net.{i}" for mlp in TOKEN_MLPS for i in (0, 1)):
        names += kan_names(layer) if kan else (f"{layer}.weight",)
    dense = [ENCODER] if architecture.encoder else []
    if architecture.decoder:
        dense += DECODER
    for layer in dense:
        names += kan_names(layer) if kan else linear_names(layer)
    if not architecture.decoder:
        for head in HEADS:
            names += [*linear_names(f"{head}.1"), *linear_names(f"{head}.3")]
    return tuple(names)
