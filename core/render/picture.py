"""The start and the end of every rasteriser: its arguments checked, its picture composited."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import ArgumentError
from ..images.image import Image
from ..records.arrays import Float32
from ..records.camera import Camera
from .rasteriser import EMPTY


def check(
    camera: Camera,
    background: NDArray[np.float32] | None,
    sh_degree: int,
    depth: Float32 | None = None,
) -> None:
    """Raises ArgumentError for a degree outside 0..3, a background of another size, or a depth of
    another size or kind."""
    if sh_degree not in (0, 1, 2, 3):
        raise ArgumentError(f"spherical harmonics degree {sh_degree} is not 0, 1, 2 or 3")
    wanted = (camera.height, camera.width, 3)
    if background is not None and background.shape != wanted:
        raise ArgumentError(
            f"background has shape {background.shape}, the camera needs {wanted}; resize it first"
        )
    if depth is not None and (depth.shape != wanted[:2] or depth.dtype != np.float32):
        raise ArgumentError(
            f"depth is {depth.dtype} of shape {depth.shape}, the camera needs float32 {wanted[:2]}"
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


def finish_depth(
    summed: NDArray[np.floating], transmittance: NDArray[np.floating], depth: Float32
) -> None:
    """summed (H, W): the z of what is drawn, each times its weight in the picture; transmittance
    (H, W) -> depth (H, W), the mean. The weights add up to 1 - transmittance."""
    cover = 1 - transmittance
    depth[...] = EMPTY
    np.divide(summed, cover, out=depth, where=cover > 0, casting="same_kind")
