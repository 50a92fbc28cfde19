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
