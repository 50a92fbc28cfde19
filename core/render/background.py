"""Background and torso of the avatar's clip, composited for a camera of any size."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..records.arrays import Float32, Float64
from ..records.avatar import Background
from ..records.camera import Camera


def background_of(images: Background, camera: Camera) -> Float32:
    """(H, W, 3) float32 sRGB-encoded in [0, 1], of the camera's size, not to be written to. At the
    images' own size it is torso.rgb * torso.a + background * (1 - torso.a), exactly (docs/method.md
    §3.9). At another size it follows `Camera.resized`: the height is filled, the sides are cropped,
    or extended with the colour of the edge."""
    return _composited(images, camera.width, camera.height)


@lru_cache(maxsize=4)
def _composited(images: Background, width: int, height: int) -> Float32:
    """Cached, because every frame of a bake needs the same."""
    picture = _unit(images.image)
    if images.torso is not None:
        colour, alpha = (
            _unit(images.torso[..., :3]),
            _unit(images.torso[..., 3:]),
        )
        picture = colour * alpha + picture * (1 - alpha)
    own_height, own_width = picture.shape[:2]
    if (own_height, own_width) != (height, width):
        step = own_height / height  # of the image's own pixels per output pixel
        rows = (np.arange(height) + 0.5) * step
        columns = (np.arange(width) + 0.5 - width / 2) * step + own_width / 2
        picture = _sampled(picture, rows, step)
        picture = _sampled(picture.swapaxes(0, 1), columns, step).swapaxes(0, 1)
    picture = np.ascontiguousarray(picture, np.float32)
    picture.flags.writeable = False
    return picture


def _unit(values: NDArray[np.uint8]) -> Float32:
    return values.astype(np.float32) / np.float32(255)


def _sampled(picture: Float32, places: Float64, step: float) -> Float32:
    """Rows of the picture at `places` (pixel edges are whole numbers): linear between two rows when
    enlarging, a triangle filter two steps wide when reducing. Outside, the first and the last row
    are repeated."""
    reach = max(1.0, step)
    first = np.floor(places - reach).astype(np.int64)
    total = np.zeros((len(places), *picture.shape[1:]), np.float32)
    weights_sum = np.zeros(len(places))
    for offset in range(int(np.ceil(2 * reach)) + 2):
        index = first + offset
        weights = np.maximum(1 - np.abs(index + 0.5 - places) / reach, 0)
        weights_sum += weights
        source = picture[np.clip(index, 0, len(picture) - 1)]
        total += weights.astype(np.float32)[:, None, None] * source
    total /= weights_sum.astype(np.float32)[:, None, None]
    return total
