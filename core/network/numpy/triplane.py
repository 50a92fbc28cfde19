"""Tri-plane features of canonical positions (docs/method.md §3.2): they do not depend on sound."""

from __future__ import annotations

import numpy as np

from ...records.arrays import Float32
from ..architecture import Architecture
from ..names import ENCODER, HASH_LEVELS, grid_name, level_count
from . import hash_grid
from .basics import Arrays
from .hash_grid import PLANES  # here: the first runs along the plane's last axis (W), then H
from .kan import dense

GRID_CENTRE = np.float32(1)  # the mean of the tri-plane's features when training begins


def normalise(aabb: Float32, means: Float32) -> Float32:
    """means (N, 3) -> (N, 3): -1 at aabb[0] (the maximum), +1 at aabb[1] (the minimum)."""
    return (means - aabb[0]) * (np.float32(2) / (aabb[1] - aabb[0])) - np.float32(1)


def sample_plane(plane: Float32, u: Float32, v: Float32) -> Float32:
    """plane (C, H, W); u, v (N,) in [-1, 1] along W and H, clamped to the border, -1 and 1 being
    the centres of the outer samples -> (N, C), bilinear."""
    _, height, width = plane.shape
    x = np.clip((u + np.float32(1)) * np.float32((width - 1) / 2), 0, width - 1)
    y = np.clip((v + np.float32(1)) * np.float32((height - 1) / 2), 0, height - 1)
    x0, y0 = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    x1, y1 = np.minimum(x0 + 1, width - 1), np.minimum(y0 + 1, height - 1)
    wx, wy = (x - x0).astype(np.float32)[:, None], (y - y0).astype(np.float32)[:, None]
    rows = np.ascontiguousarray(plane.transpose(1, 2, 0))  # (H, W, C): one gather is one row
    one = np.float32(1)
    top = rows[y0, x0] * (one - wx) + rows[y0, x1] * wx
    bottom = rows[y1, x0] * (one - wx) + rows[y1, x1] * wx
    return top * (one - wy) + bottom * wy


def features(arrays: Arrays, means: Float32) -> Float32:
    """means (N, 3) -> X (N, levels * C): product over the planes, levels concatenated. The planes
    are dense or hash tables."""
    points = normalise(arrays["tri_plane.grid.aabb"], means)
    if HASH_LEVELS in arrays:
        return hash_grid.features(arrays, points)
    levels = []
    for level in range(level_count(arrays)):
        first, second, third = (
            sample_plane(arrays[grid_name(level, plane)][0], points[:, a], points[:, b])
            for plane, (a, b) in enumerate(PLANES)
        )
        levels.append(first * second * third)
    return np.concatenate(levels, axis=1)


def encoded(arrays: Arrays, architecture: Architecture, means: Float32) -> Float32:
    """means (N, 3) -> X (N, 64), the input of the first transformer layer."""
    x = features(arrays, means)
    return dense(arrays, ENCODER, x - GRID_CENTRE) if architecture.encoder else x
