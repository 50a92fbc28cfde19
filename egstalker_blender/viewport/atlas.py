"""The Gaussians of all shown heads in two float textures, uploaded again only when they change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import gpu
import numpy as np

from ...core.errors import EngineError
from ...core.records.arrays import Float32
from ...core.records.gaussians import Splats
from .bounds import corners

PER_ROW = 256  # Gaussians in a row; with up to 12 texels each, a row fits every GPU
SHAPE_TEXELS = 3  # mean and opacity; quaternion; scales and motion
SH_TEXELS = 12  # 16 coefficients of 3 colours, in the order of Splats.sh
ORDER_WIDTH = 1024
MAX_SPLATS = 1 << 24  # smaller indices are exact in float32
NO_MOTION = np.float32(0)


Key = int | tuple[int, int]
"""The object's session_uid; of an instance, with a number."""


@dataclass(frozen=True, eq=False)
class Entry:
    """The Gaussians of one head. version: as in stage.Shown. rest:
    (N, 3) canonical means in the head's frame, None where motion is not displayed or not known."""

    key: Key
    version: int
    splats: Splats
    rest: Float32 | None = None

    @property
    def identity(self) -> tuple[Key, int, bool]:
        return self.key, self.version, self.rest is not None


def pack_shapes(entries: Sequence[Entry]) -> Float32:
    """(rows, PER_ROW, 3, 4) of all entries, one after another, filled up with 0."""
    out = np.zeros((rows_of(entries), PER_ROW, SHAPE_TEXELS, 4), np.float32)
    flat, start = out.reshape(-1, SHAPE_TEXELS, 4), 0
    for entry in entries:
        splats = entry.splats
        part = flat[start : start + len(splats)]
        part[:, 0, :3] = splats.means
        part[:, 0, 3] = splats.opacities
        part[:, 1] = splats.quats
        part[:, 2, :3] = splats.scales
        part[:, 2, 3] = motion(splats.means, entry.rest)
        start += len(splats)
    return out


def pack_sh(entries: Sequence[Entry]) -> Float32:
    """(rows, PER_ROW, 12, 4) of all entries, one after another, filled up with 0."""
    out = np.empty((rows_of(entries), PER_ROW, SH_TEXELS, 4), np.float32)
    flat, start = out.reshape(-1, SH_TEXELS * 4), 0
    for entry in entries:
        count = len(entry.splats)
        flat[start : start + count] = entry.splats.sh.reshape(count, -1)
        start += count
    flat[start:] = 0
    return out


def motion(means: Float32, rest: Float32 | None) -> Float32 | np.float32:
    """(N,) decimetres from the rest position; 0 where `rest` belongs to another avatar."""
    if rest is None or rest.shape != means.shape:
        return NO_MOTION
    return np.asarray(np.linalg.norm(means - rest, axis=1), np.float32)


def rows_of(entries: Sequence[Entry]) -> int:
    count = sum(len(entry.splats) for entry in entries)
    if count >= MAX_SPLATS:
        raise EngineError(
            f"{count} Gaussians are more than the viewport's {MAX_SPLATS - 1}; delete an avatar"
        )
    return max(1, -(-count // PER_ROW))


def pack_order(indices: Float32) -> Float32:
    """(M,) indices -> (rows, ORDER_WIDTH), filled up with 0."""
    rows = max(1, -(-len(indices) // ORDER_WIDTH))
    out = np.zeros((rows, ORDER_WIDTH), np.float32)
    out.reshape(-1)[: len(indices)] = indices
    return out


def upload(values: Float32, texel_floats: int) -> gpu.types.GPUTexture:
    """values (rows, ...) float32, C-contiguous -> a texture of as many rows. texel_floats: 4 (RGBA)
    or 1. The buffer shares numpy's memory; the copy to the GPU is complete when this returns.
    EngineError where the GPU has no texture of that size."""
    rows = len(values)
    width = values.size // rows // texel_floats
    limit = gpu.capabilities.max_texture_size_get()
    if max(rows, width) > limit:
        raise EngineError(
            f"the GPU's textures have at most {limit} rows and columns, "
            f"the heads need {rows} and {width}; delete an avatar"
        )
    buffer = gpu.types.Buffer("FLOAT", values.size, values.reshape(-1))
    kind = "RGBA32F" if texel_floats == 4 else "R32F"
    return gpu.types.GPUTexture((width, rows), format=kind, data=buffer)


class Atlas:
    """The textures of a set of entries. starts: index of the first Gaussian of each key. means: (N,
    3) of each key, in the head's frame."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.identity = identity(entries)
        self.starts: dict[Key, int] = {}
        self.means: dict[Key, Float32] = {}
        start = 0
        for entry in entries:
            self.starts[entry.key] = start
            self.means[entry.key] = entry.splats.means
            start += len(entry.splats)
        self.shapes = upload(pack_shapes(entries), 4)
        self.sh = upload(pack_sh(entries), 4)
        self._boxes: dict[Key, Float32] = {}

    def box(self, key: Key) -> Float32:
        """(8, 3) corners of the head's bounding box in the object's local axes, cached."""
        if key not in self._boxes:
            self._boxes[key] = corners(self.means[key])
        return self._boxes[key]


def identity(entries: Sequence[Entry]) -> tuple[tuple[Key, int, bool], ...]:
    return tuple(entry.identity for entry in entries)
