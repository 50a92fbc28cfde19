"""The regions of a frame and their colours in the pictures of parsing/."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..dataset import masks
from ..images.pillow import pillow
from .pictures import Pixels, write_bytes

Mask = NDArray[np.bool_]
Regions = NDArray[np.uint8]  # of these four values
BACKGROUND, HEAD, NECK, TORSO = 0, 1, 2, 3
# RGB of parsing/ (its own note uses OpenCV's order, BGR).
COLOURS = np.array([masks.REST, masks.HEAD, masks.NECK, masks.TORSO], np.uint8)
OF_PART = np.array([HEAD, NECK, TORSO, BACKGROUND], np.uint8)  # of masks.USUAL


def write_regions(path: Path, regions: Regions) -> None:
    """Write a .png of parsing/, with a palette: a tenth of the time of three channels."""
    picture = pillow().fromarray(regions)
    picture.putpalette(COLOURS.tobytes())
    data = io.BytesIO()
    picture.save(data, "PNG", compress_level=3)
    write_bytes(path, data.getbuffer())


def to_regions(picture: Pixels) -> Regions:
    """(H, W) regions of a parsing picture (H, W, 3), as a training reads it."""
    return OF_PART[masks.parts_of(picture)]
