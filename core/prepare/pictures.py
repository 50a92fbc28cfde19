"""Pictures and small files of a preparation, written so that a stopped one can continue."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import OutputError
from ..images.pillow import encode_jpeg
from ..images.png import encode_png
from ..system.files import reason
from ..system.leftovers import part_of, remove

Pixels = NDArray[np.uint8]


def write_picture(path: Path, pixels: Pixels, quality: int = 97) -> None:
    """Write (H, W, 3) as .jpg, or (H, W, 3 or 4) as .png, by the name's suffix, atomically.
    OutputError if the disk is full or the folder is gone."""
    if path.suffix == ".jpg":
        write_bytes(path, encode_jpeg(pixels, quality, full_colour=True))
    else:
        write_bytes(path, encode_png(pixels))


def write_bytes(path: Path, data: bytes | memoryview) -> None:
    """Like `files.write_atomic`, but without forcing the file to the disk: for thousands of
    pictures that would take minutes, and a lost one is made again."""
    part = part_of(path)
    try:
        part.write_bytes(data)
        os.replace(part, path)
    except OSError as error:
        remove(part)
        raise OutputError(
            f"{path} cannot be written: {reason(error)}; finished files are kept, run it again"
        ) from None
