"""Reads .spz, versions 2 and 3; spz.py writes it and describes the layout. In version 2 a rotation
is three bytes, x, y and z of a quaternion whose w is positive."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np

from ..errors import PlyError
from ..records.arrays import Float32
from ..records.gaussians import SH_COEFFICIENTS, Gaussians
from ..system.files import open_regular
from .cloud import Cloud
from .splat import logits_of
from .splat_kinds import NEXT
from .spz import COLOUR_SCALE, HEADER, MAGIC, Bytes
from .stand_ins import stand_in

MAX_FILE = 2**30  # bytes
MOST = 4_000_000  # Gaussians; unpacked they take 1 GB
MOST_BITS = 30  # of a coordinate after the point
COEFFICIENTS = {degree: (degree + 1) ** 2 - 1 for degree in range(5)}
PACKED_QUAT = {2: 3, 3: 4}  # bytes, by version


def read_spz(path: Path) -> Cloud:
    """Opacities of 0 and 1 become infinite logits: see `mended.py`. Harmonics above degree 3 are
    left out. PlyError if the file is not one; its size is checked while it is unpacked."""
    file, _ = open_regular(path, PlyError, MAX_FILE)
    try:
        with file:
            start = file.read(512)
            if start[:2] != b"\x1f\x8b":
                newer = start[:4] == b"NGSP"
                what = f"is a newer .spz file; {NEXT}" if newer else stand_in(start)
                raise PlyError(f"{path} {what or f'is no .spz file; {NEXT}'}")
            file.seek(0)
            with gzip.GzipFile(fileobj=file) as unpacked:
                return _cloud(unpacked, path)
    except (OSError, EOFError, zlib.error) as error:
        raise PlyError(f"{path} is cut off or damaged ({error}); copy it again") from None


def _cloud(file: gzip.GzipFile, path: Path) -> Cloud:
    header = file.read(HEADER.size)
    if len(header) < HEADER.size:
        raise PlyError(f"{path} is cut off; copy it again")
    magic, version, count, degree, bits, _, _ = HEADER.unpack(header)
    if magic != MAGIC:
        raise PlyError(f"{path} is packed with gzip but is no .spz file; {NEXT}")
    if version not in PACKED_QUAT:
        raise PlyError(f"{path} is .spz version {version}, which is not read; {NEXT}")
    if count == 0:
        raise PlyError(f"{path} holds 0 Gaussians; export it again")
    if count > MOST or degree not in COEFFICIENTS or bits > MOST_BITS:
        raise PlyError(
            f"{path}: its header promises {count} Gaussians of degree {degree} with {bits} bits "
            f"after the point; up to {MOST}, 4 and {MOST_BITS} are read"
        )
    rest = COEFFICIENTS[degree]
    widths = (9, 1, 3, 3, PACKED_QUAT[version], 3 * rest)
    data = file.read(count * sum(widths))
    if len(data) < count * sum(widths):
        raise PlyError(
            f"{path}: its header promises {count} Gaussians, which it does not hold; it is cut off "
            "or damaged, copy it again"
        )
    flat = np.frombuffer(data, np.uint8)
    ends = np.cumsum([count * width for width in widths])
    positions, alphas, colours, scales, rotations, harmonics = np.split(flat, ends[:-1])
    kept = min(rest, SH_COEFFICIENTS - 1)
    unpacked = _largest_left_out if version == 3 else _positive_w
    quats = rotations.reshape(count, -1)

    def read(start: int, stop: int) -> Gaussians:
        part = slice(start, stop)
        sh = np.zeros((stop - start, SH_COEFFICIENTS, 3), np.float32)
        colour = colours.reshape(count, 3)[part] / np.float32(255)
        sh[:, 0] = (colour - np.float32(0.5)) / COLOUR_SCALE
        coded = harmonics.reshape(count, rest, 3)[part, :kept]
        sh[:, 1 : 1 + kept] = (coded.astype(np.float32) - 128) / 128
        return Gaussians(
            means=_fixed_point(positions.reshape(count, 3, 3)[part], bits),
            log_scales=(scales.reshape(count, 3)[part] / 16 - 10).astype(np.float32),
            quats=unpacked(quats[part]),
            opacity_logits=logits_of(alphas[part].astype(np.float32) / 255),
            sh=sh,
        )

    return Cloud(count, read)


def _fixed_point(coded: Bytes, bits: int) -> Float32:
    """(N, 3, 3) bytes of signed 24-bit numbers -> (N, 3)."""
    wide = np.zeros((*coded.shape[:2], 4), np.uint8)
    wide[..., 1:] = coded  # as the upper 24 of 32 bits, so that the sign is kept
    return (wide.view("<i4")[..., 0].astype(np.float64) / 2 ** (bits + 8)).astype(np.float32)


def _positive_w(coded: Bytes) -> Float32:
    xyz = coded.astype(np.float32) / np.float32(127.5) - 1
    w = np.sqrt(np.maximum(0, 1 - np.square(xyz).sum(axis=1)))
    return np.concatenate([w[:, None], xyz], axis=1)


def _largest_left_out(coded: Bytes) -> Float32:
    """(N, 4) bytes as `spz._smallest_three` packs them -> w, x, y, z."""
    word = np.ascontiguousarray(coded).view("<u4")[:, 0].copy()
    largest = word >> 30
    xyzw = np.zeros((len(word), 4), np.float32)
    for component in (3, 2, 1, 0):
        stored = largest != component
        size = (word & 511) * np.float32(np.sqrt(0.5) / 511)
        xyzw[:, component] = np.where(stored, np.where(word & 512, -size, size), 0)
        word = np.where(stored, word >> 10, word)
    left = np.sqrt(np.maximum(0, 1 - np.square(xyzw).sum(axis=1)))
    xyzw[np.arange(len(word)), largest] = left
    return xyzw[:, [3, 0, 1, 2]]
