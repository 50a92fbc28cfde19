"""Files on disk: written atomically, their size checked before anything is read."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ..errors import EgsError, OutputError
from .leftovers import part_of, remove


def reason(error: OSError) -> str:
    """The system's message, without number and path."""
    return error.strerror or type(error).__name__


def megabytes(size: int) -> str:
    """A number of bytes, for people."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"


def stamp(path: Path) -> tuple[int, int] | None:
    """Size and time of a file, by which a change is noticed; None if it cannot be found."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def hash_of(path: Path) -> str:
    """SHA-256 of a file, hexadecimal: the content hash of an avatar. OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def open_regular(path: Path, error: type[EgsError], limit: int) -> tuple[BinaryIO, int]:
    """An open file and its size in bytes. Raises `error` if it is missing, unreadable, not a plain
    file (a folder, a pipe) or larger than `limit` bytes."""
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise error(f"{path} is a folder; give the file itself")
        if not stat.S_ISREG(status.st_mode):
            raise error(f"{path} is not a plain file; give a file on disk")
        if status.st_size > limit:
            raise error(
                f"{path} is {status.st_size / 1e6:.0f} MB, more than the {limit / 1e6:.0f} MB that "
                "such a file can have; check that it is the right file"
            )
        return path.open("rb"), status.st_size
    except FileNotFoundError:
        raise error(f"{path} does not exist; check the path") from None
    except (OSError, ValueError) as cause:  # ValueError: a null character in the name
        text = reason(cause) if isinstance(cause, OSError) else "not a valid path"
        raise error(f"{path} cannot be read: {text}") from None


def read_bounded(path: Path, error: type[EgsError], limit: int) -> bytes:
    """The whole file, of at most `limit` bytes."""
    file, size = open_regular(path, error, limit)
    try:
        with file:
            return file.read(size)
    except OSError as cause:
        raise error(f"{path} cannot be read: {reason(cause)}") from None


@dataclass(frozen=True)
class Staged:
    """A file written completely under a temporary name; `commit` renames it, `discard` deletes
    it."""

    path: Path
    part: Path

    def commit(self) -> None:
        """Rename it to its final name. OutputError if that fails; no temporary file is left."""
        try:
            os.replace(self.part, self.path)
        except OSError as cause:
            self.discard()
            raise OutputError(f"{self.path} cannot be written: {reason(cause)}") from None

    def discard(self) -> None:
        remove(self.part)


def stage(path: Path, chunks: Iterable[bytes | memoryview]) -> Staged:
    """Write under a temporary name in the same folder. OutputError if that fails; no temporary file
    is left."""
    if not path.parent.is_dir():
        raise OutputError(f"folder {path.parent} does not exist; create it first")
    part = part_of(path)
    try:
        with part.open("wb") as file:
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
    except BaseException as cause:
        remove(part)
        if isinstance(cause, OSError):
            raise OutputError(f"{path} cannot be written: {reason(cause)}") from None
        raise
    return Staged(path, part)


def write_atomic(path: Path, chunks: Iterable[bytes | memoryview]) -> None:
    """Write under a temporary name in the same folder, then rename: a reader gets the old file or
    the new one. OutputError if that fails; no temporary file is left."""
    stage(path, chunks).commit()
