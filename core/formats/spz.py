"""Niantic's .spz, version 3: splats in 8 to 24 bits a value, packed with gzip.

Axes are x right, y up, z to the viewer (RUB), those of the head's frame. A 16-byte header, then one
array after the other: positions (24-bit fixed point), opacities, colours of degree 0, scales,
rotations (the three smallest components, 10 bits each), harmonics of degree 1 and more. Written
from the format's description (github.com/nianticlabs/spz, README); a test has other programs read
it.
"""

from __future__ import annotations

import gzip
import struct

import numpy as np
from numpy.typing import NDArray

from ..errors import OutputError
from ..records.arrays import Float32
from ..records.gaussians import Gaussians

Bytes = NDArray[np.uint8]

MAGIC = 0x5053474E
VERSION = 3
HEADER = struct.Struct("<IIIBBBB")  # magic, version, count, degree, fractional bits, flags, 0
LARGEST = 2**23 - 1  # of 24 bits with a sign
MOST_FRACTIONAL_BITS = 20
COLOUR_SCALE = 0.15  # of the first harmonic in a byte
GZIP_LEVEL = 6


def spz_bytes(gaussians: Gaussians, degree: int = 3) -> bytes:
    """The whole file. Positions are as fine as their extent allows: 15 micrometres for a head in
    metres. Scales are stored in steps of 6 %, within 4.5e-5 to 380. OutputError if a position is
    too far out."""
    bits = _fractional_bits(gaussians.means)
    header = HEADER.pack(MAGIC, VERSION, len(gaussians), degree, bits, 0, 0)
    fixed = np.rint(gaussians.means.astype(np.float64) * 2**bits).astype("<i4")
    positions = fixed.view(np.uint8).reshape(-1, 3, 4)[:, :, :3]
    logits = gaussians.opacity_logits.astype(np.float64)
    parts = [
        positions,
        _byte(255 / (1 + np.exp(-logits))),
        _byte(255 * (0.5 + COLOUR_SCALE * gaussians.sh[:, 0])),
        _byte(16 * (gaussians.log_scales + 10)),
        _smallest_three(gaussians.quats),
        *([_harmonics(gaussians.sh, degree)] if degree else []),
    ]
    data = b"".join([header, *(part.tobytes() for part in parts)])
    return gzip.compress(data, GZIP_LEVEL, mtime=0)  # no time: the same splats, the same bytes


def _fractional_bits(means: Float32) -> int:
    farthest = float(np.abs(means).max(initial=0))
    if not farthest < LARGEST:
        raise OutputError(f"a Gaussian is {farthest:g} m away, which .spz cannot hold; export .ply")
    bits = MOST_FRACTIONAL_BITS
    while farthest * 2**bits > LARGEST:
        bits -= 1
    return bits


def _byte(values: NDArray[np.floating]) -> Bytes:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _smallest_three(quats: Float32) -> Bytes:
    """(N, 4) bytes: 2 bits name the largest of x, y, z, w; the others follow in that order, each a
    sign and 9 bits of its share of sqrt(1/2)."""
    unit = quats[:, [1, 2, 3, 0]].astype(np.float64)
    unit /= np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-12)
    largest = np.abs(unit).argmax(axis=1)
    unit *= np.where(np.take_along_axis(unit, largest[:, None], axis=1) < 0, -1, 1)
    magnitude = np.minimum(np.rint(np.abs(unit) * np.sqrt(2) * 511), 511).astype(np.uint32)
    coded = magnitude | (unit < 0).astype(np.uint32) << 9
    packed = largest.astype(np.uint32)
    for component in range(4):
        packed = np.where(component == largest, packed, packed << 10 | coded[:, component])
    return packed.astype("<u4").view(np.uint8).reshape(-1, 4)


def _harmonics(sh: Float32, degree: int) -> Bytes:
    """(N, 3 K) bytes, coefficient-major: 128 is 0, 256 would be 1. All 8 bits are kept: the 4 of
    other writers halve the file and cost 11 dB of the picture."""
    return _byte(128 * sh[:, 1 : (degree + 1) ** 2].reshape(len(sh), -1) + 128)
