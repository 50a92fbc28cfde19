"""The camera and control values that a kernel reads for each frame."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...records.camera import Camera
from ..projection import clamp_limits
from .source import VIEW

# Columns of the table, as kernels.cu reads them.
VIEWMAT, LENS, CENTRE = slice(0, 12), slice(12, 16), slice(16, 19)
LIMITS, OPACITY, COLOUR_GAIN = slice(19, 23), 23, 24


def view_table(
    cameras: Sequence[Camera],
    opacities: Sequence[float] | None = None,
    colour_gains: Sequence[float] | None = None,
) -> NDArray[np.float32]:
    """(B, VIEW) float32, rounded from float64 once. opacities, colour_gains: controls of a Moment,
    1 where absent."""
    table = np.zeros((len(cameras), VIEW))
    viewmats = np.array([camera.viewmat for camera in cameras])
    table[:, VIEWMAT] = viewmats[:, :3].reshape(-1, 12)
    table[:, LENS] = [(camera.fx, camera.fy, camera.cx, camera.cy) for camera in cameras]
    table[:, CENTRE] = -np.einsum("bji,bj->bi", viewmats[:, :3, :3], viewmats[:, :3, 3])
    table[:, LIMITS] = [clamp_limits(camera) for camera in cameras]
    table[:, OPACITY] = 1 if opacities is None else opacities
    table[:, COLOUR_GAIN] = 1 if colour_gains is None else colour_gains
    return table.astype(np.float32)
