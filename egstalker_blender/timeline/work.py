"""What the background thread does for a frame. It uses nothing of Blender."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ...core.engine.cache.disk import DiskCache
from ...core.engine.cache.frames import Frame, frame_of
from ...core.engine.interface import Engine
from ...core.records.audio_track import AudioTrack
from ...core.records.avatar import Avatar
from ...core.records.moment import Moment


@dataclass(frozen=True, eq=False)
class Computed:
    """new: computed by the engine, not read from disk."""

    frame: Frame
    new: bool


def compute(
    engine: Callable[[], Engine],
    disk: DiskCache | None,
    key: str,
    avatar: Avatar,
    track: AudioTrack,
    moment: Moment,
) -> Computed:
    """The frame from disk, or else from the engine, which is opened only then."""
    sh = avatar.whole().sh
    frame = disk.get(key, sh) if disk is not None else None
    if frame is not None:
        return Computed(frame, False)
    return Computed(frame_of(engine().deform(avatar, track, moment), sh), True)
