"""The 68 landmarks of an avatar, without a landmark model: each is bound to Gaussians.

The dataset has landmarks in pixels. Triangulated with the frames' cameras they give one mean place
each in the head's frame; the Gaussians nearest to it, in the mean speaking head, then represent the
landmark. Deformed by the network and projected, they can be compared with the dataset's landmarks.

This measures how the surface moves. Whether the picture looks like a mouth is measured by the
picture metrics and by landmark_regression.py.
"""

from __future__ import annotations

import numpy as np

from ..records.arrays import Float64
from ..records.camera import Camera


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
