"""Writes pictures to files: the one place where the format decides how colour and alpha are
stored."""

from __future__ import annotations

import io
from pathlib import Path
from typing import cast

import numpy as np

from ..errors import ArgumentError, OutputError
from ..system.files import Staged, stage
from .exr import encode_exr, encode_layers
from .image import Image, Pixels, to_linear, to_uint8
from .layers import Layers, stacked
from .notes import NO_NOTES, Notes
from .png import encode_png


def write_image(
    path: Path, image: Image | Pixels | Layers, file_format: str, notes: Notes = NO_NOTES
) -> None:
    """`stage_image`, then the final name."""
    stage_image(path, image, file_format, notes).commit()


def stage_image(
    path: Path, image: Image | Pixels | Layers, file_format: str, notes: Notes = NO_NOTES
) -> Staged:
    """Write a picture completely under a temporary name: "png" as 8-bit sRGB with straight alpha,
    "exr" as scene-linear premultiplied half floats; Layers as "exr-multilayer" (exr.py) or "npy"
    (layers.stacked), which holds no notes. The same picture and notes give the same bytes wherever
    zlib is the same. OutputError
    if the file cannot be written or the picture is empty or not finite; ArgumentError for another
    format, and for 8-bit pixels in anything but PNG."""
    if isinstance(image, Layers):
        return _stage_layers(path, image, file_format, notes)
    if file_format not in ("png", "exr"):
        raise ArgumentError(f"format {file_format!r} is unknown; choose png or exr")
    if image.ndim != 3 or image.shape[2] != 4 or 0 in image.shape:
        raise OutputError(f"{path.name}: a picture of shape {image.shape} cannot be a file")
    if image.dtype == np.uint8:
        if file_format != "png":
            raise ArgumentError(f"{path.name}: eight bits a channel are too few for {file_format}")
        return stage(path, [encode_png(cast(Pixels, image), notes=notes)])
    image = cast(Image, image)
    if not np.isfinite(image).all():
        raise OutputError(f"{path.name}: the picture holds values that are not finite numbers")
    if file_format == "png":
        return stage(path, [encode_png(to_uint8(image), notes=notes)])
    return stage(path, [encode_exr(to_linear(image), notes=notes)])


def _stage_layers(path: Path, layers: Layers, file_format: str, notes: Notes) -> Staged:
    if file_format not in ("exr-multilayer", "npy"):
        raise ArgumentError(f"format {file_format!r} has no layers; choose exr-multilayer")
    if 0 in layers.depth.shape:
        raise OutputError(f"{path.name}: a picture of shape {layers.depth.shape} cannot be a file")
    values = stacked(layers)
    if not np.isfinite(values).all():
        raise OutputError(f"{path.name}: the picture holds values that are not finite numbers")
    if file_format == "exr-multilayer":
        parts = values[..., :4], values[..., 4], values[..., 5]
        return stage(path, [encode_layers(*parts, notes)])
    data = io.BytesIO()
    np.save(data, values, allow_pickle=False)
    return stage(path, [data.getvalue()])
