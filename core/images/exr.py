"""OpenEXR files with numpy: scan lines, ZIP-compressed in blocks of 16, half or float."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from ..records.arrays import Float32
from .packing import pack

MAGIC = struct.pack("<iI", 20000630, 2)
BLOCK_ROWS = 16
ZIP = 3
HALF, FLOAT = 1, 2
HALF_MAX = 65504.0
LEVEL = 4  # OpenEXR's own default
REC_709 = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290)  # red, green, blue, white


def encode_exr(image: Float32, full: bool = False) -> bytes:
    """The file's bytes, the same for the same pixels. image (H, W, 4) float32 scene-linear,
    premultiplied, Rec. 709 primaries, first row on top; as half floats (clipped to their range), or
    as floats if `full`."""
    height, width, _ = image.shape
    pixel_type, dtype = (FLOAT, "<f4") if full else (HALF, "<f2")
    values = image if full else np.clip(image, -HALF_MAX, HALF_MAX)
    # A row is all its A, then all its B, G, R: channels are sorted by name.
    rows = np.ascontiguousarray(values[..., ::-1].transpose(0, 2, 1).astype(dtype))
    data = rows.view(np.uint8).reshape(height, -1)
    header = MAGIC + _attributes(width, height, pixel_type)
    firsts = range(0, height, BLOCK_ROWS)
    blocks = [_block(first, data[first : first + BLOCK_ROWS].reshape(-1)) for first in firsts]
    sizes = np.array([len(block) for block in blocks], np.uint64)
    start = len(header) + 8 * len(blocks)
    offsets = start + np.concatenate(([0], np.cumsum(sizes[:-1]))).astype("<u8")
    return b"".join([header, offsets.astype("<u8").tobytes(), *blocks])


def _attributes(width: int, height: int, pixel_type: int) -> bytes:
    channel = struct.pack("<iB3xii", pixel_type, 0, 1, 1)
    box = struct.pack("<iiii", 0, 0, width - 1, height - 1)
    values = (
        (b"channels", b"chlist", b"".join(c + b"\0" + channel for c in (b"A", b"B", b"G", b"R"))),
        (b"chromaticities", b"chromaticities", struct.pack("<8f", *REC_709)),
        (b"compression", b"compression", bytes([ZIP])),
        (b"dataWindow", b"box2i", box),
        (b"displayWindow", b"box2i", box),
        (b"lineOrder", b"lineOrder", b"\0"),
        (b"pixelAspectRatio", b"float", struct.pack("<f", 1)),
        (b"screenWindowCenter", b"v2f", struct.pack("<ff", 0, 0)),
        (b"screenWindowWidth", b"float", struct.pack("<f", 1)),
    )
    out = b""
    for name, kind, value in values:
        if kind == b"chlist":
            value += b"\0"
        out += name + b"\0" + kind + b"\0" + struct.pack("<i", len(value)) + value
    return out + b"\0"


def _block(first: int, raw: NDArray[np.uint8]) -> bytes:
    """Up to 16 rows: even bytes before odd ones, differences offset by 128, deflated; the raw rows
    if that is not smaller (readers see it by the size)."""
    parted = np.concatenate([raw[0::2], raw[1::2]])
    parted[1:] = parted[1:] - parted[:-1] + np.uint8(128)
    packed = pack(parted, LEVEL)
    data = packed if len(packed) < len(raw) else raw.tobytes()
    return struct.pack("<ii", first, len(data)) + data
