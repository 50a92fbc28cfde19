"""Rendered pictures next to each other in one JPEG, from a Python with bpy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import bpy
import numpy as np
from numpy.typing import NDArray

BACKDROP = (0.80, 0.82, 0.84)
QUALITY = 88
Pixels = NDArray[np.float32]


def read(path: Path) -> Pixels:
    """(H, W, 4) as stored, straight alpha, first row at the bottom."""
    image = bpy.data.images.load(str(path))
    image.colorspace_settings.name, image.alpha_mode = "Non-Color", "CHANNEL_PACKED"
    values = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(values)
    width, height = image.size
    return values.reshape(height, width, 4)


def over_backdrop(picture: Pixels) -> Pixels:
    alpha = picture[..., 3:]
    behind = np.array(BACKDROP, np.float32)
    return np.asarray(picture[..., :3] * alpha + behind * (1 - alpha), np.float32)


def write_row(path: Path, pictures: Sequence[Pixels]) -> None:
    """Side by side, as JPEG."""
    row = np.concatenate([over_backdrop(picture) for picture in pictures], axis=1)
    height, width = row.shape[:2]
    image = bpy.data.images.new("row", width, height)
    image.pixels.foreach_set(np.dstack([row, np.ones((height, width), np.float32)]).ravel())
    image.filepath_raw, image.file_format = str(path.absolute()), "JPEG"
    image.save(quality=QUALITY)
