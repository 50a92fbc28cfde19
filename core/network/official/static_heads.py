"""The first training stage: a still face from the tri-plane alone (docs/method.md §3.3)."""

from __future__ import annotations

from ..names import STATIC_HEADS
from ..numpy.basics import Arrays, Float32, linear, relu
from ..numpy.triplane import features


def static_attributes(arrays: Arrays, means: Float32) -> dict[str, Float32]:
    """means (N, 3) -> raw scales (N, 3), rotations (N, 4), opacity (N, 1), shs (N, 48)."""
    x = relu(linear(arrays, "tri_plane.feature_out.0", features(arrays, means)))
    x = relu(linear(arrays, "tri_plane.feature_out.2", x))
    return {
        head: linear(arrays, f"tri_plane.{head}.3", relu(linear(arrays, f"tri_plane.{head}.1", x)))
        for head in STATIC_HEADS
    }
