"""The 68 landmarks of the frames: .lms files, the square around the lips, mean positions in the
head.

The network is a field: it moves any point of the canonical head, not only Gaussians. The mean
position of a landmark is such a point too: moved by the network, it must project to the landmark's
pixel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import DatasetError
from ..records.arrays import Float32, Float64
from ..system.files import read_bounded

LANDMARKS = 68
MOUTH = slice(48, 68)
LIPS = slice(48, 60)  # the outer lip
INNER_LIP = slice(60, 68)
EYES = slice(36, 48)
UPPER_INNER, LOWER_INNER = (61, 62, 63), (67, 66, 65)  # pairs of the inner lips
# Bridge of the nose and corners of the eyes, which speech and blinks hardly move.
STATIC = (27, 28, 29, 30, 36, 39, 42, 45)
RIGHT_EYE, LEFT_EYE = range(36, 42), range(42, 48)  # corner, upper lid, corner, lower lid
MAX_LMS = 2**16  # bytes of one landmark file
MIN_FRAMES = 8
# Share of the rows that the second pass uses: detected landmarks jump now and then.
KEPT = 0.9


def read_landmarks(path: Path) -> Float32 | None:
    """(68, 2) x y in pixels; None if the file contains anything else."""
    try:
        words = read_bounded(path, DatasetError, MAX_LMS).split()
        values = np.array([float(word) for word in words], np.float64)
    except (DatasetError, ValueError):
        return None
    if len(values) != 2 * LANDMARKS or not (np.abs(values) < 1e6).all():  # False for NaN too
        return None
    return values.reshape(LANDMARKS, 2).astype(np.float32)


def landmarks_of(files: Mapping[int, Path], rows: Iterable[int], count: int) -> Float32:
    """(count, 68, 2) of `rows`, from the file of each; NaN where one has none that can be read."""
    out = np.full((count, LANDMARKS, 2), np.nan, np.float32)
    for row in rows:
        found = read_landmarks(files[row]) if row in files else None
        if found is not None:
            out[row] = found
    return out


def lip_box(landmarks: Float32, width: int, height: int) -> tuple[int, int, int, int] | None:
    """(y0, y1, x0, x1): the square around the lips for the lip loss (docs/method.md §5), inside the
    picture; None if landmarks are missing (NaN) or none of it is inside."""
    lips = landmarks[LIPS]
    if not np.isfinite(lips).all():
        return None
    x0, y0 = (int(v) for v in lips.min(0))
    x1, y1 = (int(v) for v in lips.max(0))
    half = max(y1 - y0, x1 - x0) // 2
    cy, cx = (y0 + y1) // 2, (x0 + x1) // 2
    box = (max(cy - half, 0), min(cy + half, height), max(cx - half, 0), min(cx + half, width))
    return box if box[0] < box[1] and box[2] < box[3] else None


# There are two triangulations: they answer different questions, and neither result may change.
# Training uses the frames that have all landmarks and solves all normal equations at once; it needs
# no answer if the head hardly turns. Evaluation solves each landmark separately, from all frames
# that show it, then again without outliers.


def triangulate(
    landmarks: NDArray[np.floating], viewmats: Float64, focal: float, centre: tuple[float, float]
) -> Float64 | None:
    """(68, 3) mean places in the head's frame, decimetres: linear least squares over all rays.
    landmarks (F, 68, 2) pixels, NaN where a frame has none; viewmats (F, 4, 4); focal length and
    principal point in pixels. None if fewer than MIN_FRAMES frames have landmarks or the head
    turns too little to show depths."""
    seen = np.isfinite(landmarks).all(axis=(1, 2))
    if seen.sum() < MIN_FRAMES:
        return None
    slopes = (landmarks[seen].astype(np.float64) - centre) / focal  # (F, 68, 2)
    rows, right = _equations(viewmats[seen, None], slopes)
    normal = np.einsum("fkci,fkcj->kij", rows, rows)
    if np.linalg.cond(normal).max() > 1e8:
        return None
    right_side = np.einsum("fkci,fkc->ki", rows, right)[..., None]
    return np.asarray(np.linalg.solve(normal, right_side)[..., 0])


def triangulate_each(
    landmarks: NDArray[np.floating], viewmats: Float64, focal: float, centre: tuple[float, float]
) -> Float64:
    """(68, 3) in the head's frame: for each landmark the point that fits its frames best, computed
    again without the worst tenth of them. Arguments as in `triangulate`. NaN for a landmark that
    fewer than two frames show."""
    slopes = (landmarks.astype(np.float64) - centre) / focal
    out = np.full((landmarks.shape[1], 3), np.nan)
    for landmark in range(landmarks.shape[1]):
        rows = np.flatnonzero(np.isfinite(slopes[:, landmark]).all(axis=1))
        if len(rows) < 2:
            continue
        point = _nearest(viewmats[rows], slopes[rows, landmark])
        seen = viewmats[rows, :3, :3] @ point + viewmats[rows, :3, 3]
        found = seen[:, :2] / np.maximum(seen[:, 2:], 1e-6)
        error = np.abs(found - slopes[rows, landmark]).sum(axis=1)
        best = rows[error <= np.quantile(error, KEPT)]
        if len(best) >= 2:
            point = _nearest(viewmats[best], slopes[best, landmark])
        out[landmark] = point
    return out


def _nearest(viewmats: Float64, slopes: Float64) -> Float64:
    """(3,) the point with the least squared error in camera coordinates over (F, 4, 4), (F, 2)."""
    rows, right = _equations(viewmats, slopes)
    solution = np.linalg.lstsq(rows.reshape(-1, 3), right.reshape(-1), rcond=None)[0]
    return np.asarray(solution, np.float64)


def _equations(viewmats: Float64, slopes: Float64) -> tuple[Float64, Float64]:
    """Rows (..., 2, 3) and right sides (..., 2) of the equations for a point p that is seen at
    `slopes` (..., 2): x / z = s gives (r0 - s r2) p = s t2 - t0, and y the same."""
    r, t = viewmats[..., :3, :3], viewmats[..., :3, 3]
    rows = r[..., :2, :] - slopes[..., None] * r[..., 2:3, :]
    return rows, slopes * t[..., 2:3] - t[..., :2]
