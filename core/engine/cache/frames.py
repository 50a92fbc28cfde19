"""Frames that were computed, kept in memory: found by their content, the least used leave first."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, fields, replace

import numpy as np

from ...records.audio_track import AudioTrack
from ...records.gaussians import Float32, Splats
from ...records.moment import Moment
from .colours import Colours, packed, unpacked

# Raise it when the network or a control gives other numbers for the same input: frames that lie on
# disk from before are then not found any more.
KEY_VERSION = 1
MEGABYTE = 1_000_000
MOVED = tuple(field.name for field in fields(Splats) if field.name != "sh")


def track_digest(track: AudioTrack) -> str:
    """SHA-256 of all that a track can say."""
    digest = hashlib.sha256(f"{track.windows.shape} {track.margin}".encode())
    digest.update(np.ascontiguousarray(track.windows))
    if track.outside is not None:
        digest.update(np.ascontiguousarray(track.outside))
    return digest.hexdigest()


def frame_key(avatar: str, track: str, moment: Moment) -> str:
    """Name of a frame by everything that decides it: content hash of the avatar, digest of the
    track, every field of the moment to the last bit (a control that is added is part of it)."""
    digest = hashlib.sha256(f"{KEY_VERSION} {avatar} {track}".encode())
    for field in fields(moment):
        value = getattr(moment, field.name)
        digest.update(f" {field.name} ".encode())
        digest.update(value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode())
    return digest.hexdigest()[:40]


@dataclass(frozen=True, eq=False)
class Frame:
    """still: the splats in the avatar's colours. colours: the frame's own, None where they are
    the avatar's."""

    still: Splats
    colours: Colours | None

    @property
    def nbytes(self) -> int:
        """What the frame keeps for itself."""
        moved = sum(getattr(self.still, name).nbytes for name in MOVED)
        return moved + (self.colours.nbytes if self.colours else 0)

    def splats(self) -> Splats:
        """What was computed: the colours as near as `packed` says, all else bit for bit."""
        if self.colours is None:
            return self.still
        return replace(self.still, sh=unpacked(self.colours, self.still.sh))


def frame_of(splats: Splats, canonical_sh: Float32) -> Frame:
    """The frame that keeps no more memory than it needs: 44 bytes a splat, and 52 more where its
    colours are not bit for bit the avatar's. A viewport's frame; a bake computes its own."""
    parts = {name: _alone(getattr(splats, name)) for name in MOVED}
    shared = splats.sh is canonical_sh or np.array_equal(splats.sh, canonical_sh)
    colours = None if shared else packed(splats.sh, canonical_sh)
    return Frame(replace(splats, sh=canonical_sh, **parts), colours)


def _alone(array: Float32) -> Float32:
    """The array without the larger one that it may be a view of."""
    base = array.base
    larger = isinstance(base, np.ndarray) and base.nbytes > array.nbytes
    return array.copy() if larger else array


class MemoryCache:
    """Frames by key, as many as the budget allows. For one thread."""

    def __init__(self, budget: int) -> None:
        """budget: bytes. The frame that was put last is always kept."""
        self._frames: OrderedDict[str, Frame] = OrderedDict()
        self._budget = budget
        self.nbytes = 0
        self.version = 0  # another number whenever a frame came or left

    def __len__(self) -> int:
        return len(self._frames)

    def __contains__(self, key: object) -> bool:
        return key in self._frames

    def get(self, key: str) -> Frame | None:
        """The frame, which counts as used now."""
        frame = self._frames.get(key)
        if frame is not None:
            self._frames.move_to_end(key)
        return frame

    def put(self, key: str, frame: Frame) -> None:
        self._drop(key)
        self._frames[key] = frame
        self.nbytes += frame.nbytes
        self.version += 1
        self._fit()

    def set_budget(self, budget: int) -> None:
        self._budget = budget
        self._fit()

    def clear(self) -> None:
        self._frames.clear()
        self.nbytes = 0
        self.version += 1

    def _fit(self) -> None:
        while self.nbytes > self._budget and len(self._frames) > 1:
            self._drop(next(iter(self._frames)))

    def _drop(self, key: str) -> None:
        frame = self._frames.pop(key, None)
        if frame is not None:
            self.nbytes -= frame.nbytes
            self.version += 1
