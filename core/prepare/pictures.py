"""Pictures of a dataset to and from disk. Needs Pillow."""

from __future__ import annotations

import io
import os
import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DatasetError, MissingPackageError, OutputError
from ..system.files import PART, reason
from .options import INSTALL

Pixels = NDArray[np.uint8]


def pillow() -> Any:
    """Pillow's Image module. MissingPackageError where it is not installed."""
    try:
        from PIL import Image
    except ImportError:
        raise MissingPackageError(f"preparing a video needs Pillow: {INSTALL}") from None
    return Image


def write_picture(path: Path, pixels: Pixels, quality: int = 97) -> None:
    """(H, W), (H, W, 3) or (H, W, 4) as .jpg or .png by the name's suffix; whole or not at all.
    OutputError where the disk is full or the folder is gone."""
    picture, data = pillow().fromarray(pixels), io.BytesIO()
    if path.suffix == ".jpg":
        picture.save(data, "JPEG", quality=quality, subsampling=0)
    else:
        picture.save(data, "PNG", compress_level=3)
    write_bytes(path, data.getbuffer())


def write_bytes(path: Path, data: bytes | memoryview) -> None:
    """As `files.write_atomic`, but not forced to the disk: thousands of pictures would take minutes
    for it, and one that is lost is made again."""
    part = path.with_name(f".{path.name}.{os.getpid()}{PART}")
    try:
        part.write_bytes(data)
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise OutputError(
            f"{path} cannot be written: {reason(error)}; what is finished stays, run it again"
        ) from None


def read_pixels(path: Path, mode: str = "RGB") -> Pixels:
    """(H, W, ...) of a JPEG or PNG file as `mode`. DatasetError names a file that is damaged."""
    image = pillow()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", image.DecompressionBombWarning)
            with image.open(path, formats=("JPEG", "PNG")) as picture:
                return np.array(picture.convert(mode))
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, image.DecompressionBombError):
        raise DatasetError(
            f"{path} is no readable JPEG or PNG picture; remove it and run prepare again"
        ) from None


def resized(pixels: Pixels, width: int, height: int) -> Pixels:
    """The picture at another size, filtered."""
    if pixels.shape[:2] == (height, width):
        return pixels
    image = pillow()
    small = image.fromarray(pixels).resize((width, height), image.Resampling.LANCZOS)
    return np.asarray(small)
