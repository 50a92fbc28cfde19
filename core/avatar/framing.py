"""Training cameras for avatars without a dataset (docs/method.md §3.10)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..records.arrays import Float32, Float64
from ..records.camera import Camera

DISTANCE = 7.7  # decimetres from the head's origin; trackers give 7 to 8
FOCAL = 1200.0  # pixels at SIZE
SIZE = 512  # pixels a side
WITHOUT_STRAYS = (1, 99)  # percentiles along each axis
FILL = 0.8  # half extent of a still head, as a share of the picture's half height


def _looking_from_front(target: Float64, distance: float) -> Float64:
    """(4, 4) from `distance` in front (+z) of `target`, looking along -z."""
    viewmat = np.diag([1.0, -1.0, -1.0, 1.0])
    viewmat[:3, 3] = viewmat[:3, :3] @ -target + (0, 0, distance)
    return viewmat


def head_camera() -> Camera:
    """A typical camera of official datasets: straight in front of the head's origin."""
    viewmat = _looking_from_front(np.zeros(3), DISTANCE)
    return Camera(viewmat, FOCAL, FOCAL, SIZE / 2, SIZE / 2, SIZE, SIZE)


def framing_camera(means: ArrayLike) -> Camera:
    """A camera that frames any points (N, 3) from +z with the same field of view. The outermost 1 %
    on each side, often stray Gaussians, are ignored."""
    low, high = np.percentile(np.asarray(means, np.float64), WITHOUT_STRAYS, axis=0)
    half = (high - low) / 2
    distance = max(half[0], half[1], 1e-3) * FOCAL / (FILL * SIZE / 2) + half[2]
    viewmat = _looking_from_front((low + high) / 2, float(distance))
    return Camera(viewmat, FOCAL, FOCAL, SIZE / 2, SIZE / 2, SIZE, SIZE)


def without_strays(means: Float32) -> Float32:
    """The points (N, 3) that no axis counts among its outermost 1 % on each side."""
    low, high = np.percentile(means, WITHOUT_STRAYS, axis=0)
    return means[((means >= low) & (means <= high)).all(axis=1)]
