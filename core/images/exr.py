"""OpenEXR files with numpy: scan lines, ZIP-compressed in blocks of 16, half or float."""

from __future__ import annotations

import struct
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ..records.arrays import Float32
from .notes import NO_NOTES, Notes
from .packing import pack

Channels = Mapping[str, NDArray[np.float16] | NDArray[np.float32]]

MAGIC = struct.pack("<iI", 20000630, 2)
BLOCK_ROWS = 16
ZIP = 3
HALF, FLOAT = 1, 2
HALF_MAX = 65504.0
LEVEL = 4  # OpenEXR's own default
REC_709 = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290)  # red, green, blue, white


def encode_exr(image: Float32, full: bool = False, notes: Notes = NO_NOTES) -> bytes:
    """The file's bytes, the same for the same pixels and notes. image (H, W, 4) float32
    scene-linear, premultiplied, Rec. 709 primaries, first row on top; as half floats (clipped to
    their range), or as floats if `full`."""
    return encode_channels(_colours(image if full else halved(image)), notes)


def encode_layers(image: Float32, depth: Float32, matte: Float32, notes: Notes = NO_NOTES) -> bytes:
    """A multilayer file: R, G, B, A of the image as `encode_exr` takes it, half; `Z`, the name that
    OpenEXR reserves for depth, (H, W) float; and `matte.A`, (H, W) half. Colour and depth belong to
    no layer, so that every reader finds the picture; the layer `matte` is what makes Blender show
    all three as passes."""
    channels = {**_colours(halved(image)), "Z": depth, "matte.A": halved(matte)}
    return encode_channels(channels, notes)


def halved(values: Float32) -> NDArray[np.float16]:
    """As half floats, clipped to their range."""
    return np.clip(values, -HALF_MAX, HALF_MAX).astype(np.float16)


def _colours(image: NDArray[np.float16] | NDArray[np.float32]) -> Channels:
    return {name: image[..., k] for k, name in enumerate("RGBA")}


def encode_channels(channels: Channels, notes: Notes = NO_NOTES) -> bytes:
    """The file's bytes of channels (H, W), float16 or float32, by name. A channel is `name`, or
    `layer.name`. OpenEXR reserves no attribute for XMP; ours is the string
    `xmp`, beside those of notes.py."""
    ordered = dict(sorted(channels.items()))  # as OpenEXR wants them
    height, width = next(iter(ordered.values())).shape
    # A row holds the whole row of each channel, one after the other.
    parts = [
        np.ascontiguousarray(values.astype(values.dtype.newbyteorder("<"))).view(np.uint8)
        for values in ordered.values()
    ]
    data = np.concatenate([part.reshape(height, -1) for part in parts], axis=1)
    header = MAGIC + _attributes(width, height, ordered, notes)
    firsts = range(0, height, BLOCK_ROWS)
    blocks = [_block(first, data[first : first + BLOCK_ROWS].reshape(-1)) for first in firsts]
    sizes = np.array([len(block) for block in blocks], np.uint64)
    start = len(header) + 8 * len(blocks)
    offsets = start + np.concatenate(([0], np.cumsum(sizes[:-1]))).astype("<u8")
    return b"".join([header, offsets.astype("<u8").tobytes(), *blocks])


def _attributes(width: int, height: int, channels: Channels, notes: Notes) -> bytes:
    listed = b""
    for name, values in channels.items():
        pixel_type = HALF if values.dtype == np.float16 else FLOAT
        listed += name.encode("ascii") + b"\0" + struct.pack("<iB3xii", pixel_type, 0, 1, 1)
    box = struct.pack("<iiii", 0, 0, width - 1, height - 1)
    attributes = (
        (b"channels", b"chlist", listed + b"\0"),
        (b"chromaticities", b"chromaticities", struct.pack("<8f", *REC_709)),
        (b"compression", b"compression", bytes([ZIP])),
        (b"dataWindow", b"box2i", box),
        (b"displayWindow", b"box2i", box),
        *((name.encode(), b"string", text.encode()) for name, text in notes.texts.items()),
        (b"lineOrder", b"lineOrder", b"\0"),
        (b"pixelAspectRatio", b"float", struct.pack("<f", 1)),
        (b"screenWindowCenter", b"v2f", struct.pack("<ff", 0, 0)),
        (b"screenWindowWidth", b"float", struct.pack("<f", 1)),
        *([(b"xmp", b"string", notes.xmp.encode())] if notes.xmp else []),
    )
    out = b""
    for label, kind, value in attributes:
        out += label + b"\0" + kind + b"\0" + struct.pack("<i", len(value)) + value
    return out + b"\0"


def _block(first: int, raw: NDArray[np.uint8]) -> bytes:
    """Up to 16 rows: even bytes before odd ones, differences offset by 128, deflated; the raw rows
    if that is not smaller (readers see it by the size)."""
    parted = np.concatenate([raw[0::2], raw[1::2]])
    parted[1:] = parted[1:] - parted[:-1] + np.uint8(128)
    packed = pack(parted, LEVEL)
    data = packed if len(packed) < len(raw) else raw.tobytes()
    return struct.pack("<ii", first, len(data)) + data
