"""The start and the end of every rasteriser: its arguments checked, its picture composited."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import ArgumentError
from ..images.image import Image
from ..records.camera import Camera


def check(camera: Camera, background: NDArray[np.float32] | None, sh_degree: int) -> None:
    """Raises ArgumentError for a degree outside 0..3 or a background of another size."""
    if sh_degree not in (0, 1, 2, 3):
        raise ArgumentError(f"spherical harmonics degree {sh_degree} is not 0, 1, 2 or 3")
    wanted = (camera.height, camera.width, 3)
    if background is not None and background.shape != wanted:
        raise ArgumentError(
            f"background has shape {background.shape}, the camera needs {wanted}; resize it first"
        )


def finish(
    colour: NDArray[np.floating],
    transmittance: NDArray[np.floating],
    background: NDArray[np.float32] | None,
) -> Image:
    """colour (H, W, 3) premultiplied, transmittance (H, W) in [0, 1] -> the picture: over the
    background and opaque, or transparent."""
    image = np.empty((*transmittance.shape, 4), np.float32)
    if background is None:
        image[..., :3] = colour
        image[..., 3] = 1 - transmittance
    else:
        image[..., :3] = colour + transmittance[..., None] * background
        image[..., 3] = 1
    return image
