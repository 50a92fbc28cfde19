"""What a picture file on disk was made from, by its headers alone: no pixel is read."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ..errors import OutputError
from ..system.files import reason
from .exr import BLOCK_ROWS
from .exr import MAGIC as EXR_MAGIC
from .notes import AVATAR, KEY
from .png import MAGIC as PNG_MAGIC

MAX_TEXT = 1024  # bytes of one of our texts
MAX_PARTS = 64  # chunks or attributes before the pixels


@dataclass(frozen=True)
class Headers:
    """avatar, key: as in Notes; empty where the file holds none. whole: the file ends where its
    headers say. empty: it has no byte."""

    avatar: str = ""
    key: str = ""
    whole: bool = False
    empty: bool = False


def read_headers(path: Path) -> Headers | None:
    """None if there is no such file. Anything that is no picture of ours has no avatar and no key.
    OutputError if a file cannot be read."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if not size:
                return Headers(empty=True)
            texts: dict[str, str] = {}
            whole = _read(file, size, texts)
    except FileNotFoundError:
        return None
    except IsADirectoryError:
        return Headers()
    except OSError as error:
        raise OutputError(f"{path} cannot be read: {reason(error)}") from None
    return Headers(texts.get(AVATAR, ""), texts.get(KEY, ""), whole)


def _read(file: BinaryIO, size: int, texts: dict[str, str]) -> bool:
    """Fill in our texts; True if the file is whole."""
    start = file.read(len(PNG_MAGIC))
    try:
        if start == PNG_MAGIC:
            return _read_png(file, size, texts)
        if start == EXR_MAGIC:
            return _read_exr(file, size, texts)
    except (struct.error, ValueError):  # cut off, or no such file
        pass
    return False


def _read_png(file: BinaryIO, size: int, texts: dict[str, str]) -> bool:
    at, parts = len(PNG_MAGIC), 0
    while True:
        length, kind = struct.unpack(">I4s", file.read(8))
        at += 12 + length
        if kind == b"IEND" or at > size:
            return kind == b"IEND" and at == size
        if kind == b"tEXt" and length <= MAX_TEXT:
            name, _, text = file.read(length).partition(b"\0")
            texts[name.decode("latin-1")] = text.decode("latin-1")
        parts += 1
        if KEY not in texts and (kind == b"IDAT" or parts > MAX_PARTS):
            return False  # not ours: its further chunks do not matter
        file.seek(at)


def _read_exr(file: BinaryIO, size: int, texts: dict[str, str]) -> bool:
    rows = 0
    for _ in range(MAX_PARTS):
        name = _name(file)
        if not name:
            return bool(rows > 0) and _blocks_end(file, rows, size) == size
        kind = _name(file)
        (length,) = struct.unpack("<i", file.read(4))
        if kind == b"string" and 0 <= length <= MAX_TEXT:
            texts[name.decode("latin-1")] = file.read(length).decode("latin-1")
        elif name == b"dataWindow" and length == 16:
            _, top, _, bottom = struct.unpack("<iiii", file.read(16))
            rows = bottom - top + 1
        else:
            file.seek(max(length, 0), os.SEEK_CUR)
    return False


def _name(file: BinaryIO) -> bytes:
    """A text that ends in a zero, of 255 characters at most, as OpenEXR has it."""
    out = b""
    while (byte := file.read(1)) != b"\0":
        if not byte or len(out) == 255:
            raise ValueError("no name")
        out += byte
    return out


def _blocks_end(file: BinaryIO, rows: int, size: int) -> int:
    """The place where the last block of rows ends. ValueError if it begins beyond the file."""
    last = -(-rows // BLOCK_ROWS) - 1
    file.seek(8 * last, os.SEEK_CUR)
    (start,) = struct.unpack("<Q", file.read(8))
    if start > size:
        raise ValueError("no such place")
    file.seek(start)
    _, length = struct.unpack("<ii", file.read(8))
    return int(start + 8 + length)
