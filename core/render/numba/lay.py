"""The end of a picture in numba: what picture.finish does, a few lines of it at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...system.numba_setup import compiled

Float32 = NDArray[np.float32]

ONE = np.float32(1)


@compiled
def lay_over(
    top: int, bottom: int, colour: Float32, left: Float32, background: Float32, image: Float32
) -> None:
    """Lines top..bottom of colour (H, W, 3) premultiplied and left (H, W), the transmittance, over
    the background (H, W, 3) into image (H, W, 4), opaque."""
    for y in range(top, bottom):
        for x in range(image.shape[1]):
            for channel in range(3):
                seen = left[y, x] * background[y, x, channel]
                image[y, x, channel] = colour[y, x, channel] + seen
            image[y, x, 3] = ONE


@compiled
def lay_clear(top: int, bottom: int, colour: Float32, left: Float32, image: Float32) -> None:
    """The same without a background: transparent where nothing was drawn."""
    for y in range(top, bottom):
        for x in range(image.shape[1]):
            for channel in range(3):
                image[y, x, channel] = colour[y, x, channel]
            image[y, x, 3] = ONE - left[y, x]
