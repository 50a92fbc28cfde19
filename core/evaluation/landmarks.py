"""The 68 landmarks of an avatar, without a landmark model: Gaussians near each of them.

The dataset knows the landmarks of its frames in pixels. With the frames' cameras they give one
place each in the head's frame, the mean over time; the Gaussians nearest to it, in the head as it
speaks on average, stand for the landmark from then on. Deformed with the sound and projected into
a frame they can be held against the dataset's own.

What this measures is where the surface goes. Whether the picture there looks like a mouth is for
the picture metrics to say, and for `reader.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..records.camera import Camera

Float64 = NDArray[np.float64]

NEAREST = 8  # Gaussians that stand for a landmark
MIN_OPACITY = 0.3  # of them; what is fainter is not what one sees
# A second look without the rows that fit worst: landmarks of a detector jump now and then.
KEPT = 0.9


@dataclass(frozen=True, eq=False)
class Binding:
    """indices (68, K) of Gaussians. mean (68, 3): the landmarks' mean places in the head's frame;
    base (68, 3): the mean place of their Gaussians; distances (68,): from landmarks to Gaussians.
    Decimetres, NaN for a landmark that was never seen."""

    indices: NDArray[np.int64]
    mean: Float64
    base: Float64
    distances: Float64

    def places(self, means: NDArray[np.floating]) -> Float64:
        """(68, 3) of deformed means (N, 3): the mean landmark, moved as its Gaussians have moved
        from their own mean place."""
        return self.mean + means[self.indices].astype(np.float64).mean(axis=1) - self.base


def triangulated(
    viewmats: Float64, focal: float, centre: tuple[float, float], seen: NDArray[np.floating]
) -> Float64:
    """(68, 3) in the head's frame: for each landmark the point that all rows see best.
    viewmats (F, 4, 4), focal and centre in pixels, seen (F, 68, 2) pixels with NaN where missing.
    NaN for a landmark that fewer than two rows see."""
    rays = (seen.astype(np.float64) - centre) / focal
    out = np.full((seen.shape[1], 3), np.nan)
    for landmark in range(seen.shape[1]):
        rows = np.flatnonzero(np.isfinite(rays[:, landmark]).all(axis=1))
        if len(rows) < 2:
            continue
        point = _meeting(viewmats[rows], rays[rows, landmark])
        error = np.abs(_slopes(viewmats[rows], point) - rays[rows, landmark]).sum(axis=1)
        best = rows[error <= np.quantile(error, KEPT)]
        if len(best) >= 2:
            point = _meeting(viewmats[best], rays[best, landmark])
        out[landmark] = point
    return out


def bind(
    landmarks: Float64, means: NDArray[np.floating], opacities: NDArray[np.floating]
) -> Binding:
    """landmarks (68, 3), means (N, 3) of the head as it speaks on average, opacities (N,)."""
    solid = np.flatnonzero(opacities >= MIN_OPACITY)
    if len(solid) < NEAREST:
        solid = np.arange(len(means))
    count = min(NEAREST, len(solid))
    indices = np.zeros((len(landmarks), count), np.int64)
    distances = np.full(len(landmarks), np.nan)
    candidates = means[solid].astype(np.float64)
    for number, place in enumerate(landmarks):
        squared = np.square(candidates - place).sum(axis=1)
        near = np.argsort(squared, kind="stable")[:count]  # any, for a place that is NaN
        indices[number] = solid[near]
        distances[number] = np.sqrt(squared[near]).mean()
    base = means[indices].astype(np.float64).mean(axis=1)
    return Binding(indices, landmarks, base, distances)


def projected(points: Float64, camera: Camera) -> Float64:
    """(..., 3) in the head's frame -> (..., 2) pixels."""
    seen = points @ camera.viewmat[:3, :3].T + camera.viewmat[:3, 3]
    depth = np.maximum(seen[..., 2], 1e-6)
    return np.stack(
        [
            camera.fx * seen[..., 0] / depth + camera.cx,
            camera.fy * seen[..., 1] / depth + camera.cy,
        ],
        axis=-1,
    )


def upwards(viewmat: Float64) -> Float64:
    """(2,) unit vector in the picture along which the head's own y axis points."""
    direction = viewmat[:2, 1]
    length = float(np.linalg.norm(direction))
    return direction / length if length > 1e-6 else np.array([0.0, -1.0])


def _slopes(viewmats: Float64, point: Float64) -> Float64:
    seen = viewmats[:, :3, :3] @ point + viewmats[:, :3, 3]
    return seen[:, :2] / np.maximum(seen[:, 2:], 1e-6)


def _meeting(viewmats: Float64, rays: Float64) -> Float64:
    """(3,) least squares of x = u z and y = v z over the rows, in camera coordinates."""
    rotation, shift = viewmats[:, :3, :3], viewmats[:, :3, 3]
    matrix = rotation[:, :2] - rays[:, :, None] * rotation[:, 2:]  # (F, 2, 3)
    right = rays * shift[:, 2:] - shift[:, :2]
    solution = np.linalg.lstsq(matrix.reshape(-1, 3), right.reshape(-1), rcond=None)[0]
    return np.asarray(solution, np.float64)
