"""A memory cache of computed frames by their inputs; the least recently used are dropped first."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from ...records.arrays import Float32
from ...records.audio_track import AudioTrack
from ...records.gaussians import Splats
from ...records.moment import Moment
from ...records.splat_blocks import MOVED
from ...system.lru import LRU

# Raise it when the network or a control gives other numbers for the same input: older frames on
# disk are then no longer found.
KEY_VERSION = 1
MEGABYTE = 1_000_000
LEVELS = 127


def track_digest(track: AudioTrack) -> str:
    """SHA-256 of everything in a track."""
    digest = hashlib.sha256(f"{track.windows.shape} {track.margin}".encode())
    digest.update(np.ascontiguousarray(track.windows))
    if track.outside is not None:
        digest.update(np.ascontiguousarray(track.outside))
    return digest.hexdigest()


def frame_key(avatar: str, track: str, moment: Moment) -> str:
    """Name of a frame by everything that determines it: content hash of the avatar, digest of the
    track, every field of the moment to the last bit (a new control included)."""
    digest = hashlib.sha256(f"{KEY_VERSION} {avatar} {track}".encode())
    for field in fields(moment):
        value = getattr(moment, field.name)
        digest.update(f" {field.name} ".encode())
        digest.update(value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode())
    return digest.hexdigest()[:40]


@dataclass(frozen=True, eq=False)
class Colours:
    """Difference from the avatar's colours. levels (N, 16, 3) int8; steps (N,) float32: the value
    of one level of a Gaussian."""

    levels: NDArray[np.int8]
    steps: Float32

    @property
    def nbytes(self) -> int:
        return self.levels.nbytes + self.steps.nbytes


def packed(sh: Float32, canonical_sh: Float32) -> Colours:
    """sh (N, 16, 3), quantised to within 1/254 of the largest difference of the Gaussian's
    coefficients from `canonical_sh`."""
    distances = sh - canonical_sh
    rows = distances.reshape(len(sh), -1)
    # A Gaussian with a value that is not finite becomes NaN, through its step.
    with np.errstate(invalid="ignore"):
        largest = np.maximum(rows.max(axis=1, initial=0), -rows.min(axis=1, initial=0))
        steps = np.maximum(largest / np.float32(LEVELS), np.finfo(np.float32).tiny)
        rows *= (1 / steps)[:, None]
        return Colours(np.rint(distances, out=distances).astype(np.int8), steps)


def unpacked(colours: Colours, canonical_sh: Float32) -> Float32:
    """(N, 16, 3) float32."""
    with np.errstate(invalid="ignore"):
        sh = np.multiply(colours.levels, colours.steps[:, None, None], dtype=np.float32)
    sh += canonical_sh
    return sh


@dataclass(frozen=True, eq=False)
class Frame:
    """still: the splats in the avatar's colours. colours: the frame's own, None if they are
    the avatar's."""

    still: Splats
    colours: Colours | None

    @property
    def nbytes(self) -> int:
        """Bytes that only this frame uses."""
        moved = sum(getattr(self.still, name).nbytes for name in MOVED)
        return moved + (self.colours.nbytes if self.colours else 0)

    def splats(self) -> Splats:
        """The computed splats: colours as exact as `packed` keeps them, the rest bit for bit."""
        if self.colours is None:
            return self.still
        return replace(self.still, sh=unpacked(self.colours, self.still.sh))


def frame_of(splats: Splats, canonical_sh: Float32) -> Frame:
    """A frame that keeps no more memory than it needs: 44 bytes a splat, and 52 more if its colours
    are not bit for bit the avatar's. For the viewport; a bake computes its own."""
    parts = {name: _alone(getattr(splats, name)) for name in MOVED}
    shared = splats.sh is canonical_sh or np.array_equal(splats.sh, canonical_sh)
    colours = None if shared else packed(splats.sh, canonical_sh)
    return Frame(replace(splats, sh=canonical_sh, **parts), colours)


def _alone(array: Float32) -> Float32:
    """A copy if the array is a view of a larger one, which can then be freed."""
    base = array.base
    larger = isinstance(base, np.ndarray) and base.nbytes > array.nbytes
    return array.copy() if larger else array


class MemoryCache(LRU[str, Frame]):
    """Frames by key, as many as the budget allows. For one thread."""

    def __init__(self, budget: int) -> None:
        """budget: bytes. The frame added last is always kept."""
        super().__init__(budget, cost=lambda frame: frame.nbytes, least=1)
        self._largest = 0  # bytes of a frame since the last `clear`

    def put(self, key: str, value: Frame) -> Frame:
        self._largest = max(self._largest, value.nbytes)
        return super().put(key, value)

    def clear(self) -> None:
        super().clear()
        self._largest = 0

    def room(self, heads: int) -> int | None:
        """How many frames of each of so many heads fit, at least 1; None before the first one."""
        if not self._largest:
            return None
        return max(1, int(self._budget // (self._largest * max(1, heads))))

    @property
    def nbytes(self) -> int:
        return self.total
