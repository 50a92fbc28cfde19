"""Landmarks of the pictures as points of the head: what tells the mouth and the lids where to be.

The network is a field: it moves any canonical point, not Gaussians alone. A landmark's mean place
in the head is one more such point, and where it is carried must be seen at the landmark's pixel.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]

MIN_FRAMES = 8
MOUTH = slice(48, 68)
EYES = slice(36, 48)


def triangulate(
    landmarks: NDArray[np.floating], viewmats: Float64, focal: float, centre: tuple[float, float]
) -> Float64 | None:
    """(68, 3) mean places in the head's frame, decimetres: linear least squares over all rays.
    landmarks (F, 68, 2) pixels, NaN where a frame has none; viewmats (F, 4, 4); focal length and
    principal point in pixels. None where fewer than MIN_FRAMES frames have landmarks or the head
    does not turn enough to tell depths."""
    seen = np.isfinite(landmarks).all(axis=(1, 2))
    if seen.sum() < MIN_FRAMES:
        return None
    slopes = (landmarks[seen].astype(np.float64) - centre) / focal  # (F, 68, 2)
    r, t = viewmats[seen, :3, :3], viewmats[seen, :3, 3]
    # x / z = slope: (r0 - s r2) p = s t2 - t0, and the same for y.
    rows = r[:, None, :2] - slopes[..., None] * r[:, None, 2:3]  # (F, 68, 2, 3)
    right = slopes * t[:, None, 2:3] - t[:, None, :2]
    normal = np.einsum("fkci,fkcj->kij", rows, rows)
    if np.linalg.cond(normal).max() > 1e8:
        return None
    right_side = np.einsum("fkci,fkc->ki", rows, right)[..., None]
    return np.asarray(np.linalg.solve(normal, right_side)[..., 0])
