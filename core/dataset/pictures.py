"""The pictures of a dataset folder: read, their size and mode checked. Needs Pillow."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..errors import DatasetError
from ..images.pillow import Bytes, pillow
from ..records.avatar import Background
from ..system.files import open_regular

MAX_BYTES = 512 * 2**20  # of one picture file
TAILS = {b"\xff\xd8": b"\xff\xd9", b"\x89P": b"IEND"}  # first bytes of a picture -> near its end
TAIL_BYTES = 64

Size = tuple[int, int]  # width, height


class _OtherSizeError(DatasetError):
    """The picture seems intact but has another size."""


@contextmanager
def _opened(path: Path, size: Size | None) -> Iterator[Any]:
    """Pillow's picture of a JPEG or PNG file, its size checked and nothing decoded yet.
    DatasetError names the file, also if decoding in the block fails."""
    image = pillow()
    file, _ = open_regular(path, DatasetError, MAX_BYTES)
    try:
        with file, warnings.catch_warnings():
            # The size is checked here, before anything is decoded.
            warnings.simplefilter("ignore", image.DecompressionBombWarning)
            with image.open(file, formats=("JPEG", "PNG")) as picture:
                if size is not None and picture.size != size:
                    raise _OtherSizeError(
                        f"{path} is {picture.width}x{picture.height} pixels, transforms_train.json "
                        f"says {size[0]}x{size[1]} (2 cx, 2 cy)"
                    )
                yield picture
    except image.DecompressionBombError:
        raise _OtherSizeError(f"{path} has too many pixels; make it again") from None
    # MemoryError: Pillow trusts the length of a PNG's chunk.
    except (OSError, SyntaxError, ValueError, EOFError, KeyError, MemoryError, struct.error):
        raise DatasetError(f"{path} is not a readable JPEG or PNG picture; make it again") from None


def read_picture(
    path: Path, mode: Literal["L", "RGB", "RGBA"] = "RGB", size: Size | None = None
) -> Bytes:
    """(H, W), (H, W, 3) or (H, W, 4) of a JPEG or PNG file as `mode`. size: (width, height) that it
    must have. DatasetError if it has another size, no alpha (RGBA) or cannot be decoded."""
    with _opened(path, size) as picture:
        if mode == "RGBA" and not picture.has_transparency_data:
            raise DatasetError(f"{path} has no alpha; the torso must be cut out")
        return np.array(picture.convert(mode))


def fault_of(path: Path, size: Size) -> str | None:
    """The fault of a picture, worded to follow "N frames "; None if its first bytes, its size and
    its last bytes are right. Takes a tenth of a millisecond; only decoding finds damage in
    between."""
    folder = path.parent.name
    try:
        with _opened(path, size) as picture:
            if not _ends(picture.fp):  # cut off, or followed by other bytes: decoding shows which
                picture.load()
    except _OtherSizeError:
        return f"in {folder} have another size than {size[0]}x{size[1]}"
    except DatasetError:
        return f"in {folder} are cut off or no picture"
    return None


def _ends(file: Any) -> bool:
    """True if the file ends as a picture does. Restores the file's position."""
    place = file.tell()
    file.seek(0)
    head = file.read(2)
    length = file.seek(0, 2)
    file.seek(max(length - TAIL_BYTES, 0))
    whole = TAILS.get(head, b"") in file.read()
    file.seek(place)
    return whole


def read_background(
    folder: Path, torsos: Mapping[int, Path], torso_frame: int | None, size: Size
) -> Background:
    """bc.jpg and, unless `torso_frame` is None, that frame's picture of `torsos` (frame -> path),
    all of `size`. DatasetError if one is missing or wrong."""
    background = read_picture(folder / "bc.jpg", "RGB", size)
    if torso_frame is None:
        return Background(background)
    if torso_frame not in torsos:
        have = f"{len(torsos)} from {min(torsos)} to {max(torsos)}" if torsos else "none"
        raise DatasetError(f"{folder / 'torso_imgs'} has no {torso_frame}.png; there are: {have}")
    return Background(background, read_picture(torsos[torso_frame], "RGBA", size))


def over(torso: Bytes, background: Bytes) -> Bytes:
    """(H, W, 3) torso (H, W, 4; straight alpha) over the background, rounded to whole values."""
    alpha = torso[..., 3:].astype(np.float32) / 255
    mixed = torso[..., :3] * alpha + background * (1 - alpha)
    return np.rint(mixed).astype(np.uint8)
