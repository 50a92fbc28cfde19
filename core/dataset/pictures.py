"""Background and torso pictures of a dataset folder. Needs Pillow."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import DatasetError, MissingPackageError
from ..records.avatar import Background
from ..system.files import open_regular, reason

MAX_BYTES = 512 * 2**20  # of one picture file


def available_torsos(folder: Path) -> list[int]:
    """Frame numbers that have a picture in torso_imgs/, ascending."""
    where = folder / "torso_imgs"
    if not where.is_dir():
        return []
    try:
        stems = [path.stem for path in where.iterdir() if path.suffix == ".png"]
    except OSError as error:
        raise DatasetError(f"{where} cannot be read: {reason(error)}") from None
    return sorted(
        int(stem) for stem in stems if stem.isascii() and stem.isdigit() and len(stem) < 10
    )


def read_background(
    folder: Path, torso_frame: int | None, torsos: Sequence[int], size: tuple[int, int]
) -> Background:
    """bc.jpg and torso_imgs/{torso_frame}.png, both of `size` (width, height)."""
    background = read_picture(folder / "bc.jpg", "RGB", size)
    if torso_frame is None:
        return Background(background)
    if torso_frame not in torsos:
        have = f"{len(torsos)} from {torsos[0]} to {torsos[-1]}" if torsos else "none"
        raise DatasetError(f"{folder / 'torso_imgs'} has no {torso_frame}.png; there are: {have}")
    return Background(
        background, read_picture(folder / f"torso_imgs/{torso_frame}.png", "RGBA", size)
    )


def read_picture(path: Path, mode: str, size: tuple[int, int]) -> NDArray[np.uint8]:
    """(H, W, 3 or 4) of a JPEG or PNG file as `mode`, "RGB" or "RGBA". size: (width, height) that
    it must have. DatasetError names the file."""
    try:
        from PIL import Image
    except ImportError:
        raise MissingPackageError(
            f"reading {path.name} needs Pillow; install it with: pip install pillow"
        ) from None
    file, _ = open_regular(path, DatasetError, MAX_BYTES)
    try:
        with file, warnings.catch_warnings():
            # The size is checked below, before anything is decoded.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(file, formats=("JPEG", "PNG")) as picture:
                if picture.size != size:
                    raise DatasetError(
                        f"{path} is {picture.width}x{picture.height} pixels, transforms_train.json "
                        f"says {size[0]}x{size[1]} (2 cx, 2 cy)"
                    )
                if mode == "RGBA" and not picture.has_transparency_data:
                    raise DatasetError(f"{path} has no alpha; the torso must be cut out")
                return np.array(picture.convert(mode))
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError):
        raise DatasetError(f"{path} is no readable JPEG or PNG picture; make it again") from None
