"""The 68 landmarks of an avatar, without a landmark model: each is bound to Gaussians.

The dataset has landmarks in pixels. Triangulated with the frames' cameras they give one mean place
each in the head's frame; the Gaussians nearest to it, in the mean speaking head, then represent the
landmark. Deformed by the network and projected, they can be compared with the dataset's landmarks.

This measures how the surface moves. Whether the picture looks like a mouth is measured by the
picture metrics and by landmark_regression.py.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..records.arrays import Float64
from ..records.camera import Camera

NEAREST = 8  # Gaussians that represent a landmark
MIN_OPACITY = 0.3  # of them; fainter ones are hardly visible
# Share of the rows, those that fit best, used in a second pass: detected landmarks have outliers.
KEPT = 0.9


@dataclass(frozen=True, eq=False)
class Binding:
    """indices (68, K) of Gaussians. mean (68, 3): the landmarks' mean places in the head's frame;
    base (68, 3): the mean place of their Gaussians; distances (68,): from landmarks to Gaussians.
    Decimetres, NaN for a landmark without data."""

    indices: NDArray[np.int64]
    mean: Float64
    base: Float64
    distances: Float64

    def places(self, means: NDArray[np.floating]) -> Float64:
        """(68, 3) for deformed means (N, 3): the mean landmarks, displaced as their Gaussians are
        from their mean place."""
        return self.mean + means[self.indices].astype(np.float64).mean(axis=1) - self.base


def triangulated(
    viewmats: Float64, focal: float, centre: tuple[float, float], pixels: NDArray[np.floating]
) -> Float64:
    """(68, 3) in the head's frame: for each landmark the point nearest to the rays of all rows.
    viewmats (F, 4, 4), focal and centre in pixels; pixels (F, 68, 2), NaN if missing.
    NaN for a landmark in fewer than two rows."""
    rays = (pixels.astype(np.float64) - centre) / focal
    out = np.full((pixels.shape[1], 3), np.nan)
    for landmark in range(pixels.shape[1]):
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
    """landmarks (68, 3); means (N, 3) and opacities (N,) of the mean speaking head."""
    solid = np.flatnonzero(opacities >= MIN_OPACITY)
    if len(solid) < NEAREST:
        solid = np.arange(len(means))
    count = min(NEAREST, len(solid))
    indices = np.zeros((len(landmarks), count), np.int64)
    distances = np.full(len(landmarks), np.nan)
    candidates = means[solid].astype(np.float64)
    for number, place in enumerate(landmarks):
        squared = np.square(candidates - place).sum(axis=1)
        near = np.argsort(squared, kind="stable")[:count]  # arbitrary for a place that is NaN
        indices[number] = solid[near]
        distances[number] = np.sqrt(squared[near]).mean()
    base = means[indices].astype(np.float64).mean(axis=1)
    return Binding(indices, landmarks, base, distances)


def projected(points: Float64, camera: Camera) -> Float64:
    """(..., 3) in the head's frame -> (..., 2) pixels."""
    local = points @ camera.viewmat[:3, :3].T + camera.viewmat[:3, 3]
    depth = np.maximum(local[..., 2], 1e-6)
    return np.stack(
        [
            camera.fx * local[..., 0] / depth + camera.cx,
            camera.fy * local[..., 1] / depth + camera.cy,
        ],
        axis=-1,
    )


def upwards(viewmat: Float64) -> Float64:
    """(2,) direction of the head's y axis in the picture, unit length."""
    direction = viewmat[:2, 1]
    length = float(np.linalg.norm(direction))
    return direction / length if length > 1e-6 else np.array([0.0, -1.0])


def _slopes(viewmats: Float64, point: Float64) -> Float64:
    local = viewmats[:, :3, :3] @ point + viewmats[:, :3, 3]
    return local[:, :2] / np.maximum(local[:, 2:], 1e-6)


def _meeting(viewmats: Float64, rays: Float64) -> Float64:
    """(3,) least squares of x = u z and y = v z over the rows, in camera coordinates."""
    rotation, shift = viewmats[:, :3, :3], viewmats[:, :3, 3]
    matrix = rotation[:, :2] - rays[:, :, None] * rotation[:, 2:]  # (F, 2, 3)
    right = rays * shift[:, 2:] - shift[:, :2]
    solution = np.linalg.lstsq(matrix.reshape(-1, 3), right.reshape(-1), rcond=None)[0]
    return np.asarray(solution, np.float64)
