"""After the attention: norm, feed-forward, norm, and the five heads (docs/method.md §3.7, §3.8)."""

from __future__ import annotations

from ...records.gaussians import Gaussians
from ...records.weights import NetworkWeights
from ..names import HEADS, layer_prefix
from .basics import Arrays, Float32, layer_norm, linear, relu


def feed_forward(arrays: Arrays, layer: int, x: Float32, attended: Float32) -> Float32:
    """x, attended (N, 64) -> (N, 64)."""
    prefix = layer_prefix(layer)
    x = layer_norm(arrays, f"{prefix}norm1", attended + x)
    hidden = relu(linear(arrays, f"{prefix}ffn.linear1", x))
    return layer_norm(arrays, f"{prefix}norm2", x + linear(arrays, f"{prefix}ffn.linear2", hidden))


def offsets(weights: NetworkWeights, hidden: Float32) -> dict[str, Float32]:
    """hidden (N, 64) -> attribute -> (N, width) for each head that is not frozen."""
    out = {}
    for head, (attribute, _) in HEADS.items():
        if attribute not in weights.frozen:
            x = relu(linear(weights.arrays, f"{head}.1", relu(hidden)))
            out[attribute] = linear(weights.arrays, f"{head}.3", x)
    return out


def apply_offsets(gaussians: Gaussians, offset: dict[str, Float32]) -> Gaussians:
    """Raw values plus offsets; what has none stays canonical. Quaternions are added, not
    multiplied, and not normalised first. "sh" may hold the first coefficients alone."""
    n = len(gaussians)
    sh = gaussians.sh
    if "sh" in offset:
        moved = offset["sh"].reshape(n, -1, 3)
        sh = sh.copy()
        sh[:, : moved.shape[1]] += moved
    zero = gaussians.means.dtype.type(0)
    return Gaussians(
        means=gaussians.means + offset.get("means", zero),
        log_scales=gaussians.log_scales + offset.get("scales", zero),
        quats=gaussians.quats + offset.get("quats", zero),
        opacity_logits=gaussians.opacity_logits
        + (offset["opacities"][:, 0] if "opacities" in offset else zero),
        sh=sh,
    )
