"""Names of the tensors, as in the official state dict, and counts that follow from them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ..records.gaussians import ATTRIBUTES

PREFIX = "deformation_net."  # of every name in the official file, never in ours
DEFAULT_AGENTS = 200

# The five official heads: name of the head -> (attribute's name, values a Gaussian).
HEADS = {f"{a.official}_deform": (a.name, a.width) for a in ATTRIBUTES}
# The heads of the first training stage, which inference never runs (docs/method.md §3.3).
STATIC_HEADS = {a.official: a.width for a in ATTRIBUTES if a.name != "means"}

TOKEN_MLPS = ("audio_mlp", "eye_mlp", "cam_mlp")

# A tri-plane of hash tables, which only a "paper" network may have: see numpy/hash_grid.py.
HASH_LEVELS = "tri_plane.hash.levels"
HASH_TABLE = "tri_plane.hash.table"

# Tensors that only a "paper" network has: see architecture.py.
ENCODER = "encoder.0"
DECODER = ("decoder.0", "decoder.1")
PPE = "ppe.table"
POSE_MEAN, POSE_SCALE = "pose.mean", "pose.scale"
# In standard deviations of the film's poses, the farthest pose that the network is shown: what it
# makes of a pose that it never saw is arbitrary, and heads turn much further than in their films.
POSE_LIMIT = 3.0
EYE_FREQUENCIES = "eye.frequencies"
CONSTANTS = (PPE, POSE_MEAN, POSE_SCALE, EYE_FREQUENCIES)

AUDIO_LAYERS = (
    *(f"audio_net.encoder_conv.{i}" for i in (0, 2, 4, 6)),
    *(f"audio_net.encoder_fc1.{i}" for i in (0, 2)),
    *(f"audio_att_net.attentionConvNet.{i}" for i in (0, 2, 4, 6, 8)),
    "audio_att_net.attentionNet.0",
)


def layer_prefix(layer: int) -> str:
    return f"transformer.layers.{layer}."


def attention_name(layer: int) -> str:
    """The prefix of the names of an attention's linear layers."""
    return f"{layer_prefix(layer)}enc_dec_attention."


def grid_name(level: int, plane: int) -> str:
    return f"tri_plane.grid.grids.{level}.{plane}"


def is_grid(name: str) -> bool:
    """True for a tensor of tri-plane features, dense or hashed."""
    return name == HASH_TABLE or name.startswith("tri_plane.grid.grids.")


def linear_names(layer: str) -> tuple[str, str]:
    return f"{layer}.weight", f"{layer}.bias"


def kan_names(layer: str) -> tuple[str, str, str]:
    return f"{layer}.base_weight", f"{layer}.taylor_coeffs", f"{layer}.bias"


def is_kan(arrays: Mapping[str, Any], layer: str) -> bool:
    return f"{layer}.taylor_coeffs" in arrays


def static_names() -> tuple[str, ...]:
    """Names of the coarse heads, which only the first training stage and `verify` read."""
    names = [*linear_names("tri_plane.feature_out.0"), *linear_names("tri_plane.feature_out.2")]
    for head in STATIC_HEADS:
        names += [*linear_names(f"tri_plane.{head}.1"), *linear_names(f"tri_plane.{head}.3")]
    return tuple(names)


def has_static_heads(arrays: Mapping[str, Any]) -> bool:
    return all(name in arrays for name in static_names())


def layer_count(arrays: Mapping[str, Any]) -> int:
    """The number of transformer layers, counted by name."""
    return _count(arrays, r"transformer\.layers\.(\d+)\.")


def level_count(arrays: Mapping[str, Any]) -> int:
    """The number of tri-plane resolutions, counted by name."""
    return _count(arrays, r"tri_plane\.grid\.grids\.(\d+)\.")


def _count(names: Iterable[str], pattern: str) -> int:
    # Different numbers, not the largest: a gap, or a huge number, shows as a missing tensor.
    found = (re.match(pattern, name) for name in names)
    return len({match[1] for match in found if match})


def agent_count(arrays: Mapping[str, Any]) -> int:
    """ESAA's agents: the columns of the unused attention_proj_layer (64, agents) if it is present,
    200 otherwise. Read it before dropping what `architecture.tensor_names` omits."""
    weight = arrays.get(f"{attention_name(0)}attention_proj_layer.weight")
    return int(weight.shape[1]) if weight is not None and weight.ndim == 2 else DEFAULT_AGENTS
