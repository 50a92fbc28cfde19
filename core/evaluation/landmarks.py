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
