"""Writes pictures to files: the one place where the format decides how colour and alpha are
stored."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np

from ..errors import ArgumentError, OutputError
from ..system.files import Staged, stage
from .exr import encode_exr
from .image import Image, Pixels, to_linear, to_uint8
from .png import encode_png


def write_image(path: Path, image: Image | Pixels, file_format: str) -> None:
    """`stage_image`, then the final name."""
    stage_image(path, image, file_format).commit()


def stage_image(path: Path, image: Image | Pixels, file_format: str) -> Staged:
    """Write a picture completely under a temporary name: "png" as 8-bit sRGB with straight alpha,
    "exr" as scene-linear premultiplied half floats. The same picture gives the same bytes wherever
    zlib is the same. OutputError if the file cannot be written or the picture is empty or not
    finite; ArgumentError for another format, and for 8-bit pixels in anything but PNG."""
    if file_format not in ("png", "exr"):
        raise ArgumentError(f"format {file_format!r} is unknown; choose png or exr")
    if image.ndim != 3 or image.shape[2] != 4 or 0 in image.shape:
        raise OutputError(f"{path.name}: a picture of shape {image.shape} cannot be a file")
    if image.dtype == np.uint8:
        if file_format != "png":
            raise ArgumentError(f"{path.name}: eight bits a channel are too few for {file_format}")
        return stage(path, [encode_png(cast(Pixels, image))])
    image = cast(Image, image)
    if not np.isfinite(image).all():
        raise OutputError(f"{path.name}: the picture holds values that are not finite numbers")
    if file_format == "png":
        return stage(path, [encode_png(to_uint8(image))])
    return stage(path, [encode_exr(to_linear(image))])
