"""Reads .ksplat of GaussianSplats3D (MIT licence), version 0.1: sections of 24 to 232 bytes a
Gaussian. In compressed files (level 1 and 2) a position is given from the centre of its bucket, in
16 bits, and other values are half floats, harmonics of level 2 bytes."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import PlyError
from ..records.arrays import Float32
from ..records.gaussians import C0, SH_COEFFICIENTS, Gaussians
from ..system.files import read_bounded
from .cloud import Cloud
from .splat import logits_of
from .splat_kinds import NEXT
from .stand_ins import stand_in

MAX_FILE = 2**30  # bytes
HEADER, SECTION = 4096, 1024  # bytes
MOST_SECTIONS = 4096
NUMBERS = {0: "<f4", 1: "<f2", 2: "<f2"}  # of scales and rotations, by level
HARMONICS = {0: "<f4", 1: "<f2", 2: "u1"}
RANGE = {0: 1, 1: 32767, 2: 32767}  # of a coded coordinate to each side
BUCKET = np.dtype("<f4"), 3  # its centre
WIDEST = 1.5  # harmonics in bytes, where the file names no range


def read_ksplat(path: Path) -> Cloud:
    """Opacities of 0 and 1 become infinite logits: see `mended.py`. PlyError if it is not one."""
    data = read_bounded(path, PlyError, MAX_FILE)
    other = stand_in(data[:512])
    if other:
        raise PlyError(f"{path} {other}")
    if len(data) < HEADER or data[0] != 0 or data[1] != 1:
        raise PlyError(f"{path} is no .ksplat file of version 0.1; {NEXT}")
    sections = struct.unpack_from("<I", data, 4)[0]
    level = struct.unpack_from("<H", data, 20)[0]
    low, high = struct.unpack_from("<2f", data, 36)
    low, high = low or -WIDEST, high or WIDEST
    if level not in NUMBERS or not 0 < sections <= MOST_SECTIONS:
        raise PlyError(
            f"{path}: its header promises {sections} sections of compression level {level}, which "
            f"are not read; {NEXT}"
        )
    place = HEADER + sections * SECTION
    parts: list[_Section] = []
    for number in range(sections):
        part = _Section(path, data, HEADER + number * SECTION, place, level, (low, high))
        place = part.end
        parts.append(part)
    ends = np.cumsum([part.count for part in parts])
    if not ends[-1]:
        raise PlyError(f"{path} holds 0 Gaussians; export it again")

    def read(start: int, stop: int) -> Gaussians:
        found = []
        for part, end in zip(parts, ends, strict=True):
            first = int(end) - part.count
            lo, hi = max(start, first), min(stop, int(end))
            if lo < hi:
                found.append(part.read(lo - first, hi - first))
        columns = zip(*(vars(part).values() for part in found), strict=True)
        return Gaussians(*(np.concatenate(column) for column in columns))

    return Cloud(int(ends[-1]), read)


class _Section:
    """count: its Gaussians. end: the byte after it."""

    def __init__(
        self,
        path: Path,
        data: bytes,
        at: int,
        place: int,
        level: int,
        harmonics: tuple[float, float],
    ) -> None:
        """at: of its header. harmonics: the range of those in bytes. PlyError."""
        count, most, bucket_size, buckets = struct.unpack_from("<4I", data, at)
        block, width, reach = struct.unpack_from("<fHxxI", data, at + 16)
        full, partial, degree = struct.unpack_from("<2IH", data, at + 32)
        if degree > 3 or count > most or (buckets and width != BUCKET[1] * BUCKET[0].itemsize):
            raise PlyError(
                f"{path}: a section promises {count} of {most} Gaussians of degree {degree}; it is "
                f"damaged, or of a version that is not read; {NEXT}"
            )
        rest = (degree + 1) ** 2 - 1
        number = NUMBERS[level]
        fields = [
            ("mean", "<f4" if level == 0 else "<u2", 3), ("scale", number, 3),
            ("quat", number, 4), ("colour", "u1", 4), ("sh", HARMONICS[level], 3 * rest),
        ]  # fmt: skip
        row = np.dtype(fields)
        lengths = place + 4 * partial
        start = lengths + buckets * width
        self.end = start + most * row.itemsize
        if start + count * row.itemsize > len(data):
            raise PlyError(
                f"{path}: its header promises {count} Gaussians, which it does not hold; it is cut "
                "off or damaged, copy it again"
            )
        self.count, self._level, self._rest, self._range = count, level, rest, harmonics
        self._rows = np.frombuffer(data, row, count, start)
        self._step = np.float32(block / 2 / (reach or RANGE[level]))
        self._reach = reach or RANGE[level]
        self._centres = np.frombuffer(data, BUCKET[0], 3 * buckets, lengths).reshape(-1, 3)
        sizes = np.frombuffer(data, "<u4", partial, place).astype(np.int64)
        # First Gaussian after each bucket: the full ones have one size, the others their own.
        self._full, self._size = full, bucket_size
        self._ends = full * bucket_size + np.cumsum(sizes)
        if level and not self._placed(count):
            raise PlyError(f"{path}: its Gaussians and buckets do not belong together; {NEXT}")

    def _placed(self, count: int) -> bool:
        if not count:
            return True
        last = int(self._buckets(count - 1, count)[0])
        return self._size > 0 and last < len(self._centres)

    def _buckets(self, start: int, stop: int) -> NDArray[np.int64]:
        numbers = np.arange(start, stop)
        later = self._full + np.searchsorted(self._ends, numbers, side="right")
        return np.where(numbers < self._full * self._size, numbers // max(self._size, 1), later)

    def read(self, start: int, stop: int) -> Gaussians:
        rows = self._rows[start:stop]
        if self._level:
            centres = self._centres[self._buckets(start, stop)]
            means = (rows["mean"].astype(np.float32) - self._reach) * self._step + centres
        else:
            means = rows["mean"].astype(np.float32)
        colours = rows["colour"].astype(np.float32) / 255
        sh = np.zeros((len(rows), SH_COEFFICIENTS, 3), np.float32)
        sh[:, 0] = (colours[:, :3] - np.float32(0.5)) / np.float32(C0)
        sh[:, 1 : 1 + self._rest] = self._harmonics(rows)
        with np.errstate(divide="ignore", invalid="ignore"):
            log_scales = np.log(rows["scale"].astype(np.float32))
        quats = rows["quat"].astype(np.float32)
        return Gaussians(means, log_scales, quats, logits_of(colours[:, 3]), sh)

    def _harmonics(self, rows: NDArray[Any]) -> Float32:
        """(n, coefficients, 3): in the file each degree has red, green, blue one after another."""
        coded = rows["sh"].reshape(len(rows), -1).astype(np.float32)
        if self._level == 2:
            low, high = self._range
            coded = (low + coded / 255 * (high - low)).astype(np.float32)
        out, place = np.empty((len(rows), self._rest, 3), np.float32), 0
        for first, size in ((0, 3), (3, 5), (8, 7)):
            if first < self._rest:
                part = coded[:, place : place + 3 * size].reshape(-1, 3, size)
                out[:, first : first + size] = part.transpose(0, 2, 1)
                place += 3 * size
        return out
