"""Sorts the Gaussians of all heads farthest first, by 16-bit depths: numpy has a radix sort."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...core.records.arrays import Float32
from .view import Placed

LEVELS = 65535


@dataclass(frozen=True, eq=False)
class Order:
    """indices (M,) into the atlas as float32 (exact below 2^24), farthest first. near, far:
    smallest and largest depth in metres; far > near."""

    indices: Float32
    near: float
    far: float


def depths(means: Float32, placed: Placed) -> Float32:
    """(N, 3) head's frame -> (N,) depth in metres."""
    row = (placed.matrix[2] * placed.scale).astype(np.float32)
    return means @ row[:3] + row[3]


def order(heads: Sequence[tuple[int, Float32, Placed]], nearest: float | None) -> Order:
    """heads: start in the atlas, means (N, 3) and place of each. nearest: depth in decimetres of
    the head's frame; Gaussians at most that deep are left out, None keeps all. Gaussians that are
    not finite are left out. Of equal depths, the first Gaussian is in front."""
    found, starts = [], []
    for start, means, placed in heads:
        z = depths(means, placed)
        seen = np.isfinite(z)
        if nearest is not None:
            seen &= z > np.float32(nearest * placed.scale)
        if seen.all():
            chosen = np.arange(start, start + len(z), dtype=np.float32)
        else:
            rows = np.flatnonzero(seen)
            z, chosen = z[rows], (rows + start).astype(np.float32)
        found.append(z)
        starts.append(chosen)
    z = np.concatenate(found) if found else np.empty(0, np.float32)
    indices = np.concatenate(starts) if starts else np.empty(0, np.float32)
    if not len(z):
        return Order(indices, 0.0, 1.0)
    near, far = float(z.min()), float(z.max())
    far = max(far, near + 1e-6 * max(1.0, abs(near)))
    keys = ((z - np.float32(near)) * np.float32(LEVELS / (far - near))).astype(np.uint16)
    return Order(indices[np.argsort(keys, kind="stable")[::-1]], near, far)
