"""Which tensors of the official state dict the networks need, and the counts their names tell."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ..records.weights import EGSTALKER, GAUSSIANTALKER, PAPER

PREFIX = "deformation_net."  # of every name in the official file, never in ours
OFFICIAL = (EGSTALKER, GAUSSIANTALKER)
KINDS = (*OFFICIAL, PAPER)
DEFAULT_AGENTS = 200
DEFAULT_HEADS = {EGSTALKER: 16, GAUSSIANTALKER: 2, PAPER: 16}

# The five heads: official name -> (attribute of NetworkWeights.frozen, values per Gaussian).
HEADS: dict[str, tuple[str, int]] = {
    "pos_deform": ("means", 3),
    "scales_deform": ("scales", 3),
    "rotations_deform": ("quats", 4),
    "opacity_deform": ("opacities", 1),
    "shs_deform": ("sh", 48),
}
# The heads of the first training stage, which inference never runs (docs/method.md §3.3).
STATIC_HEADS: dict[str, int] = {"scales": 3, "rotations": 4, "opacity": 1, "shs": 48}

TOKEN_MLPS = ("audio_mlp", "eye_mlp", "cam_mlp")

# What only a "paper" network has: see paper.py.
ENCODER = "encoder.0"
DECODER = ("decoder.0", "decoder.1")
PPE = "ppe.table"
POSE_MEAN, POSE_SCALE = "pose.mean", "pose.scale"
EYE_FREQUENCIES = "eye.frequencies"
_TOKEN_PARAMETERS = {
    EGSTALKER: ("base_weight", "taylor_coeffs", "bias"),
    GAUSSIANTALKER: ("weight",),
}
_ATTENTION_LINEARS = {
    EGSTALKER: ("agent_linear",),
    GAUSSIANTALKER: ("w_q", "w_k", "w_v", "w_concat"),
}
_AUDIO_LINEARS = (
    *(f"audio_net.encoder_conv.{i}" for i in (0, 2, 4, 6)),
    *(f"audio_net.encoder_fc1.{i}" for i in (0, 2)),
    *(f"audio_att_net.attentionConvNet.{i}" for i in (0, 2, 4, 6, 8)),
    "audio_att_net.attentionNet.0",
)


def layer_prefix(layer: int) -> str:
    return f"transformer.layers.{layer}."


def grid_name(level: int, plane: int) -> str:
    return f"tri_plane.grid.grids.{level}.{plane}"


def _linear(name: str) -> tuple[str, str]:
    return f"{name}.weight", f"{name}.bias"


def needed_names(kind: str, arrays: Mapping[str, Any]) -> tuple[str, ...]:
    """`used_names` of the layers, levels and parts that these arrays have."""
    layers, levels = layer_count(arrays), level_count(arrays)
    if kind != PAPER:
        return used_names(kind, layers, levels)
    esaa = f"{layer_prefix(0)}enc_dec_attention.w_q.weight" not in arrays
    return paper_names(layers, levels, kan=is_kan(arrays, DECODER[0]), esaa=esaa)


def is_kan(arrays: Mapping[str, Any], layer: str) -> bool:
    return f"{layer}.taylor_coeffs" in arrays


def paper_names(
    layers: int = 1, levels: int = 2, *, kan: bool = True, esaa: bool = True
) -> tuple[str, ...]:
    """Names of a "paper" network (paper.py). kan: TaylorKAN layers, plain linear ones without.
    esaa: attention through agents, plain multi-head attention without."""
    names = _common_names(layers, levels, EGSTALKER if esaa else GAUSSIANTALKER)
    names += [PPE, POSE_MEAN, POSE_SCALE, EYE_FREQUENCIES]
    for mlp in TOKEN_MLPS:
        kind = EGSTALKER if kan else GAUSSIANTALKER
        names += [f"{mlp}.net.{i}.{p}" for i in (0, 1) for p in _TOKEN_PARAMETERS[kind]]
    for layer in (ENCODER, *DECODER):
        names += [f"{layer}.{p}" for p in _TOKEN_PARAMETERS[EGSTALKER]] if kan else _linear(layer)
    return tuple(names)


def used_names(kind: str, layers: int = 1, levels: int = 2) -> tuple[str, ...]:
    """Names, without the leading "deformation_net.", of all that inference reads; anything else in
    an official file may be dropped. `layers` transformer layers, `levels` of the tri-plane. kind:
    one of the official ones."""
    names = _common_names(layers, levels, kind)
    for mlp in TOKEN_MLPS:
        names += [f"{mlp}.net.{i}.{p}" for i in (0, 1) for p in _TOKEN_PARAMETERS[kind]]
    for head in HEADS:
        names += [*_linear(f"{head}.1"), *_linear(f"{head}.3")]
    return tuple(names)


def _common_names(layers: int, levels: int, attention: str) -> list[str]:
    """What every kind has; attention: the kind whose attention it is."""
    names = ["null_vector", "tri_plane.grid.aabb"]
    names += [grid_name(level, plane) for level in range(levels) for plane in range(3)]
    for linear in _AUDIO_LINEARS:
        names += _linear(linear)
    for layer in range(layers):
        prefix = layer_prefix(layer)
        for linear in _ATTENTION_LINEARS[attention]:
            names += _linear(f"{prefix}enc_dec_attention.{linear}")
        names += [f"{prefix}{norm}.{p}" for norm in ("norm1", "norm2") for p in ("gamma", "beta")]
        names += [*_linear(f"{prefix}ffn.linear1"), *_linear(f"{prefix}ffn.linear2")]
    return names


def static_names() -> tuple[str, ...]:
    """Names of the coarse heads: the first training stage and `verify` read them, nothing else."""
    names = [*_linear("tri_plane.feature_out.0"), *_linear("tri_plane.feature_out.2")]
    for head in STATIC_HEADS:
        names += [*_linear(f"tri_plane.{head}.1"), *_linear(f"tri_plane.{head}.3")]
    return tuple(names)


def has_static_heads(arrays: Mapping[str, Any]) -> bool:
    return all(name in arrays for name in static_names())


def kind_of(arrays: Mapping[str, Any]) -> str | None:
    """The kind that the names tell (without the leading "deformation_net."), None where they tell
    none."""
    if "audio_mlp.net.0.taylor_coeffs" in arrays:
        return EGSTALKER
    if "audio_mlp.net.0.weight" in arrays:
        return GAUSSIANTALKER
    return None


def layer_count(arrays: Mapping[str, Any]) -> int:
    """Transformer layers that any name speaks of."""
    return _count(arrays, r"transformer\.layers\.(\d+)\.")


def level_count(arrays: Mapping[str, Any]) -> int:
    """Resolutions of the tri-plane that any name speaks of."""
    return _count(arrays, r"tri_plane\.grid\.grids\.(\d+)\.")


def _count(names: Iterable[str], pattern: str) -> int:
    # Different numbers, not the largest: a gap, or a huge number, shows as a missing tensor.
    found = (re.match(pattern, name) for name in names)
    return len({match[1] for match in found if match})


def agent_count(arrays: Mapping[str, Any]) -> int:
    """ESAA's agents: the columns of the unused attention_proj_layer (64, agents) where it is
    present, 200 otherwise. Read it before dropping what `used_names` does not list."""
    weight = arrays.get(f"{layer_prefix(0)}enc_dec_attention.attention_proj_layer.weight")
    return int(weight.shape[1]) if weight is not None and weight.ndim == 2 else DEFAULT_AGENTS
