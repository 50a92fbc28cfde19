"""What the kernels know of each frame beside its Gaussians: numbers of camera and controls."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...camera import Camera
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
    table[:, 23:25] = 1
    for row, camera in zip(table, cameras, strict=True):
        row[:12] = camera.viewmat[:3].ravel()
        row[12:16] = camera.fx, camera.fy, camera.cx, camera.cy
        row[16:19] = camera.centre
        row[19:23] = clamp_limits(camera)
    if opacities is not None:
        table[:, 23] = opacities
    if colour_gains is not None:
        table[:, 24] = colour_gains
    return table.astype(np.float32)
