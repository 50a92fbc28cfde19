"""A disk cache of computed frames: one .npy file each, named by its key.

A file is a (1 + 11 N,) or (1 + 24 N,) float32 array: the bits of a CRC-32 of the rest, then means,
quats, scales, opacities and, if they are not the avatar's, the packed colours: steps, and the bytes
of levels. A file that cannot be read or does not fit is deleted and computed again. An unwritable
folder turns the cache off.
"""

from __future__ import annotations

import contextlib
import io
import os
import threading
import time
import zlib
from pathlib import Path

import numpy as np

from ...errors import OutputError
from ...records.arrays import Float32
from ...records.gaussians import SH_COEFFICIENTS, Splats
from ...records.splat_blocks import MOVED, blocks_of, fields_from, width
from ...system.files import open_regular, reason, write_atomic
from ...system.leftovers import remove_abandoned, remove_parts
from ...system.lru import LRU
from .frames import Colours, Frame

SUFFIX = ".npy"
AHEAD = 3600.0  # seconds by which the clock of another computer may be ahead
MOVED_FLOATS = width(MOVED)
COLOUR_FLOATS = 1 + 3 * SH_COEFFICIENTS // 4  # four levels in each float


class DiskCache:
    """May be used from several threads. `reason`: why no frames are cached, empty while they
    are."""

    def __init__(self, folder: Path, budget: int) -> None:
        """budget: bytes; 0 keeps nothing. The folder is made with the first frame."""
        self.folder, self._budget = folder, budget
        self.reason = ""
        self._guard = threading.RLock()
        self._sizes: LRU[str, int] = LRU(budget, cost=int, dropped=self._delete)
        self._scan()

    @property
    def nbytes(self) -> int:
        return self._sizes.total

    @property
    def version(self) -> int:
        """Changes whenever a frame is added or removed."""
        return self._sizes.version

    def __len__(self) -> int:
        return len(self._sizes)

    def __contains__(self, key: object) -> bool:
        return key in self._sizes

    def get(self, key: str, canonical_sh: Float32) -> Frame | None:
        """The frame of an avatar with those canonical colours, None if there is none or it is
        damaged."""
        if key not in self._sizes:
            return None
        path = self._path(key)
        try:
            frame = _frame_from(_read(path, len(canonical_sh)), canonical_sh)
            os.utime(path)
        except (OSError, ValueError, OutputError):
            with self._guard:
                self._sizes.drop(key)
            return None
        with self._guard:
            self._sizes.get(key)  # marks it as just used
        return frame

    def put(self, key: str, frame: Frame) -> None:
        """Write the frame, delete the least used beyond the budget."""
        if self.reason or frame.nbytes > self._budget or key in self._sizes:
            return
        values = _floats_of(frame)
        content = (_header(len(values)), memoryview(values).cast("B"))
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomic(self._path(key), content)
        except (OSError, OutputError) as error:
            text = reason(error) if isinstance(error, OSError) else str(error)
            self.reason = f"no frames on disk: {text}"
            return
        with self._guard:
            if key not in self._sizes:
                self._sizes.put(key, sum(map(len, content)))

    def set_budget(self, budget: int) -> None:
        with self._guard:
            self._budget = budget
            self._sizes.set_budget(budget)

    def clear(self) -> None:
        """Delete every frame, and the folder if nothing else is in it."""
        with self._guard:
            remove_parts(self.folder, os.getpid())
            self._sizes.clear()
            self.reason = ""
            with contextlib.suppress(OSError):  # not there, or used by another Blender too
                self.folder.rmdir()

    def _path(self, key: str) -> Path:
        return self.folder / (key + SUFFIX)

    def _scan(self) -> None:
        """Register the frames from earlier sessions, the least recently used first."""
        remove_abandoned(self.folder)
        now = time.time()
        try:
            with os.scandir(self.folder) as entries:
                found = [
                    (_used(entry, now), entry.name.removesuffix(SUFFIX), entry.stat().st_size)
                    for entry in entries
                    if entry.name.endswith(SUFFIX) and entry.is_file(follow_symlinks=False)
                ]
        except FileNotFoundError:
            return
        except OSError as error:
            self.reason = f"no frames on disk: {self.folder} cannot be read: {reason(error)}"
            return
        with self._guard:
            for _, key, size in sorted(found):
                if _is_key(key):
                    self._sizes.put(key, size)

    def _delete(self, key: str, _size: int) -> None:
        try:
            self._path(key).unlink(missing_ok=True)
        except OSError as error:
            self.reason = f"no frames on disk: {self.folder}: {reason(error)}"


def _used(entry: os.DirEntry[str], now: float) -> float:
    """When a file was used last. A time in the future is that of a wrong clock: long ago, or such a
    file would outlive all that are used."""
    time_used = entry.stat().st_mtime
    return time_used if time_used < now + AHEAD else 0.0


def _is_key(name: str) -> bool:
    """Only files that this program named are counted, read and deleted."""
    return len(name) == 40 and all(letter in "0123456789abcdef" for letter in name)


def _floats_of(frame: Frame) -> Float32:
    parts = blocks_of(frame.still, MOVED)
    if frame.colours is not None:
        parts += [frame.colours.steps, frame.colours.levels.ravel().view(np.float32)]
    out = np.concatenate([np.empty(1, np.float32), *parts])
    out[:1].view(np.uint32)[0] = zlib.crc32(out[1:])
    return out


def _header(length: int) -> bytes:
    """The header of a .npy file of (length,) float32."""
    file = io.BytesIO()
    shape = {"descr": "<f4", "fortran_order": False, "shape": (length,)}
    np.lib.format.write_array_header_1_0(file, shape)
    return file.getvalue()


def _read(path: Path, count: int) -> Float32:
    """The checked floats of `count` splats. OSError, ValueError, OutputError if it is not a frame
    of that many. Its header is compared, not parsed: no length in it is trusted."""
    lengths = (1 + count * MOVED_FLOATS, 1 + count * (MOVED_FLOATS + COLOUR_FLOATS))
    headers = {4 * length + len(_header(length)): _header(length) for length in lengths}
    file, size = open_regular(path, OutputError, max(headers))
    with file:
        header = headers.get(size)
        if header is None or file.read(len(header)) != header:
            raise ValueError(f"{path.name} is not a frame of {count} splats")
        values = np.empty((size - len(header)) // 4, "<f4")
        if file.readinto(memoryview(values).cast("B")) != values.nbytes:  # type: ignore[attr-defined]
            raise ValueError(f"{path.name} is cut off")
    if zlib.crc32(values[1:]) != values[:1].view(np.uint32)[0]:
        raise ValueError(f"{path.name} was changed")
    return values


def _frame_from(values: Float32, canonical_sh: Float32) -> Frame:
    n = len(canonical_sh)
    moved, rest = fields_from(values[1:], n, MOVED)
    colours = None
    if len(rest):
        colours = Colours(rest[n:].view(np.int8).reshape(canonical_sh.shape), rest[:n])
    return Frame(Splats(**moved, sh=canonical_sh), colours)
