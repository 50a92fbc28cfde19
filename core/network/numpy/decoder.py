"""After the attention: norm, feed-forward, norm, and the offsets (docs/method.md §3.7, §3.8)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...records.arrays import Float32
from ...records.gaussians import Gaussians, flat_of, gaussians_of
from ..architecture import COLUMNS, Architecture
from ..names import DECODER, HEADS, layer_prefix
from .basics import Arrays, layer_norm, linear, relu
from .kan import dense


def feed_forward(arrays: Arrays, layer: int, x: Float32, attended: Float32) -> Float32:
    """x, attended (N, 64) -> (N, 64)."""
    prefix = layer_prefix(layer)
    x = layer_norm(arrays, f"{prefix}norm1", attended + x)
    hidden = relu(linear(arrays, f"{prefix}ffn.linear1", x))
    return layer_norm(arrays, f"{prefix}norm2", x + linear(arrays, f"{prefix}ffn.linear2", hidden))


def offsets(arrays: Arrays, architecture: Architecture, hidden: Float32) -> dict[str, Float32]:
    """hidden (N, 64) -> attribute -> (N, `architecture.widths`)."""
    if architecture.decoder:
        moved = _decoded(arrays, architecture, hidden)
        return {name: moved[:, COLUMNS[name]] for name in architecture.widths}
    return {
        attribute: _head(arrays, head, hidden)
        for head, (attribute, _) in HEADS.items()
        if attribute in architecture.widths
    }


def _head(arrays: Arrays, head: str, hidden: Float32) -> Float32:
    return linear(arrays, f"{head}.3", relu(linear(arrays, f"{head}.1", relu(hidden))))


def _decoded(arrays: Arrays, architecture: Architecture, hidden: Float32) -> Float32:
    """The second KAN squares its input: tanh limits how far a sound unlike the training data can
    move a Gaussian."""
    first, second = DECODER
    inner = dense(arrays, first, hidden)
    return dense(arrays, second, np.tanh(inner) if architecture.kan else relu(inner))


def apply_offsets(gaussians: Gaussians, offset: Mapping[str, Float32]) -> Gaussians:
    """Raw values plus offsets; an attribute without offsets stays canonical. Quaternions are added,
    not multiplied, and not normalised first. Offsets may cover only the first values of an
    attribute."""
    moved = flat_of(gaussians)
    for name, values in offset.items():
        moved[name] = moved[name].copy()
        moved[name][:, : values.shape[1]] += values
    return gaussians_of(moved)
