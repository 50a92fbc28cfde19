"""What the kernels know of each frame beside its Gaussians: numbers of camera and controls."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...records.camera import Camera
from ..projection import clamp_limits
from .source import VIEW


def view_table(
    cameras: Sequence[Camera],
    opacities: Sequence[float] | None = None,
    colour_gains: Sequence[float] | None = None,
) -> NDArray[np.float32]:
    """(B, VIEW) float32, rounded from float64 once. opacities, colour_gains: controls of a Moment,
    1 where they are not given."""
    table = np.zeros((len(cameras), VIEW))
    viewmats = np.array([camera.viewmat for camera in cameras])
    table[:, :12] = viewmats[:, :3].reshape(-1, 12)
    table[:, 12:16] = [(camera.fx, camera.fy, camera.cx, camera.cy) for camera in cameras]
    table[:, 16:19] = -np.einsum("bji,bj->bi", viewmats[:, :3, :3], viewmats[:, :3, 3])
    table[:, 19:23] = [clamp_limits(camera) for camera in cameras]
    table[:, 23] = 1 if opacities is None else opacities
    table[:, 24] = 1 if colour_gains is None else colour_gains
    return table.astype(np.float32)
