"""A short decoder of OpenEXR files, written from the format's description."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray


def attributes(data: bytes) -> tuple[dict[str, bytes], int]:
    assert data[:8] == bytes.fromhex("762f3101 02000000")
    position, found = 8, {}
    while data[position]:
        name, kind = data[position:].split(b"\0", 2)[:2]
        position += len(name) + len(kind) + 2
        (size,) = struct.unpack_from("<i", data, position)
        found[name.decode()] = data[position + 4 : position + 4 + size]
        position += 4 + size
    return found, position + 1


def channels_of(value: bytes) -> dict[str, str]:
    """Name -> numpy's type: each a name, its type, four bytes for linearity, two samplings of 1."""
    found = {}
    while value != b"\0":
        name, rest = value.split(b"\0", 1)
        kind, linear, across, down = struct.unpack_from("<iB3xii", rest)
        assert (linear, across, down) == (0, 1, 1)
        found[name.decode()] = {1: "<f2", 2: "<f4"}[kind]
        value = rest[16:]
    return found


def decoded(data: bytes) -> NDArray[np.float32]:
    """(H, W, 4) RGBA of a file with these channels alone."""
    channels = channels_in(data)
    assert list(channels) == ["A", "B", "G", "R"]
    return np.stack([channels[name] for name in "RGBA"], axis=-1).astype(np.float32)


def channels_in(data: bytes) -> dict[str, NDArray[np.floating]]:
    """Name -> (H, W) of a file with ZIP blocks of 16 rows, each block found by its offset."""
    found, position = attributes(data)
    _, _, right, bottom = struct.unpack("<4i", found["dataWindow"])
    width, height = right + 1, bottom + 1
    kinds = channels_of(found["channels"])
    assert list(kinds) == sorted(kinds)  # the library refuses others
    row_type = np.dtype([(name, kind, (width,)) for name, kind in kinds.items()])
    out = np.empty(height, row_type)
    for number, first in enumerate(range(0, height, 16)):
        (offset,) = struct.unpack_from("<Q", data, position + 8 * number)
        row, size = struct.unpack_from("<ii", data, offset)
        assert row == first
        rows = min(16, height - first)
        raw = data[offset + 8 : offset + 8 + size]
        if size < rows * row_type.itemsize:
            steps = np.frombuffer(zlib.decompress(raw), np.uint8).astype(np.int64)
            steps[1:] -= 128
            parted = np.cumsum(steps).astype(np.uint8)
            half = (len(parted) + 1) // 2
            raw = np.stack([parted[:half], parted[half:]], 1).tobytes()
        out[first : first + rows] = np.frombuffer(raw, row_type)
    return {name: out[name] for name in kinds}
