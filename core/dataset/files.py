"""One frame's files in a dataset folder of the GaussianTalker layout (docs/method.md §5.1)."""

from __future__ import annotations

import os
import re
import struct
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import DatasetError, MissingPackageError
from ..system.files import open_regular, read_bounded, reason
from .pictures import MAX_BYTES

LANDMARKS = 68
_FRAME_NUMBER = re.compile(r"0|[1-9][0-9]{0,8}")  # 007.jpg is nobody's
LIPS = slice(48, 60)  # the outer lip
MAX_LMS = 2**16  # bytes of one landmark file
HEAD_COLOUR = (0, 0, 255)  # of parsing/, as RGB; neck is green, torso red, the rest white
TAILS = {b"\xff\xd8": b"\xff\xd9", b"\x89P": b"IEND"}  # first bytes of a picture -> near its end
TAIL_BYTES = 64


@dataclass(frozen=True)
class Listing:
    """Which frames have which file: number -> path."""

    images: Mapping[int, Path]
    parsing: Mapping[int, Path]
    torsos: Mapping[int, Path]
    landmarks: Mapping[int, Path]


def list_frames(folder: Path) -> Listing:
    """DatasetError where ori_imgs/ or parsing/ is no readable folder."""
    images = _numbered(folder / "ori_imgs", (".png", ".jpg"))
    return Listing(
        images,
        _numbered(folder / "parsing", (".png",)),
        _numbered(folder / "torso_imgs", (".png",), needed=False),
        _numbered(folder / "ori_imgs", (".lms",)),
    )


def _numbered(where: Path, suffixes: tuple[str, ...], needed: bool = True) -> dict[int, Path]:
    """Files named by a frame number; of two with the same number the later suffix wins."""
    if not needed and not where.is_dir():
        return {}
    try:
        names = os.listdir(where)
    except OSError as error:
        raise DatasetError(
            f"{where} cannot be read: {reason(error)}; a dataset needs the folders ori_imgs/ and "
            "parsing/, make them with: prepare VIDEO FOLDER"
        ) from None
    found: dict[int, Path] = {}
    for suffix in suffixes:
        for name in names:
            stem, ending = os.path.splitext(name)
            if ending == suffix and _FRAME_NUMBER.fullmatch(stem):
                found[int(stem)] = where / name
    return found


def read_landmarks(path: Path) -> NDArray[np.float32] | None:
    """(68, 2) x y in pixels; None where the file holds anything else."""
    try:
        words = read_bounded(path, DatasetError, MAX_LMS).split()
        values = np.array([float(word) for word in words], np.float64)
    except (DatasetError, ValueError):
        return None
    if len(values) != 2 * LANDMARKS or not (np.abs(values) < 1e6).all():  # False for NaN too
        return None
    return values.reshape(LANDMARKS, 2).astype(np.float32)


def lip_box(
    landmarks: NDArray[np.float32], width: int, height: int
) -> tuple[int, int, int, int] | None:
    """(y0, y1, x0, x1): the square around the lips that the lip loss looks at (docs/method.md §5),
    inside the picture; None where the landmarks are missing (NaN) or nothing of it is inside."""
    lips = landmarks[LIPS]
    if not np.isfinite(lips).all():
        return None
    x0, y0 = (int(v) for v in lips.min(0))
    x1, y1 = (int(v) for v in lips.max(0))
    half = max(y1 - y0, x1 - x0) // 2
    cy, cx = (y0 + y1) // 2, (x0 + x1) // 2
    box = (max(cy - half, 0), min(cy + half, height), max(cx - half, 0), min(cx + half, width))
    return box if box[0] < box[1] and box[2] < box[3] else None


def head_mask(picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """(H, W) where the parsing (H, W, 3) is exactly the head's colour."""
    red, green, blue = HEAD_COLOUR
    return (picture[..., 2] == blue) & (picture[..., 0] == red) & (picture[..., 1] == green)


def looks_whole(path: Path, size: tuple[int, int]) -> str | None:
    """What is wrong with a picture, as far as its first and last bytes tell; None where nothing is.
    Takes a tenth of a millisecond; only decoding finds damage in between."""
    try:
        from PIL import Image
    except ImportError:
        raise MissingPackageError(
            "reading a dataset needs Pillow; install it with: pip install pillow"
        ) from None
    folder = path.parent.name
    try:
        file, length = open_regular(path, DatasetError, MAX_BYTES)
        with file, warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            head = file.read(2)
            file.seek(max(length - TAIL_BYTES, 0))
            ends = TAILS[head] in file.read()
            file.seek(0)
            with Image.open(file, formats=("JPEG", "PNG")) as picture:
                if picture.size != size:
                    return f"in {folder} have another size than {size[0]}x{size[1]}"
                if not ends:  # cut off, or something was put behind the picture: decoding tells
                    picture.load()
    except (DatasetError, OSError, SyntaxError, ValueError, EOFError, KeyError, struct.error):
        return f"in {folder} are cut off or no picture"
    except Image.DecompressionBombError:
        return f"in {folder} have another size than {size[0]}x{size[1]}"
    return None
