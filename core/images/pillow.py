"""Pictures by Pillow, which Blender's Python lacks: resized, encoded as JPEG.

PNG files are written without Pillow (png.py)."""

from __future__ import annotations

import io
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import MissingPackageError

Bytes = NDArray[np.uint8]


def pillow() -> Any:
    """Pillow's Image module. MissingPackageError if it is not installed."""
    try:
        from PIL import Image
    except ImportError:
        raise MissingPackageError(
            "JPEG and PNG pictures need Pillow; install it with: pip install pillow"
        ) from None
    return Image


def encode_jpeg(pixels: Bytes, quality: int, *, full_colour: bool = False) -> bytes:
    """The file's bytes of (H, W) or (H, W, 3), quality 1 to 95 and above. full_colour: colour at
    every pixel, not at every second one."""
    data = io.BytesIO()
    picture = pillow().fromarray(np.ascontiguousarray(pixels))
    picture.save(data, "JPEG", quality=quality, subsampling=0 if full_colour else -1)
    return data.getvalue()


def resized(
    pixels: Bytes, width: int, height: int, filter_: Literal["LANCZOS", "BICUBIC", "BOX"]
) -> Bytes:
    """(height, width[, C]) of (H, W[, C]); itself if it has that size."""
    if pixels.shape[:2] == (height, width):
        return pixels
    image = pillow()
    picture = image.fromarray(np.ascontiguousarray(pixels))
    return np.array(picture.resize((width, height), image.Resampling[filter_]))
