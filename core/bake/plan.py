"""Turns options into a bake job, without Blender: ranges, sizes, and the moment of each frame."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import replace

from ..avatar.motion import moment_at, viewmat_at
from ..errors import ArgumentError
from ..records.arrays import Float64
from ..records.avatar import Avatar
from ..records.camera import MAX_SIDE, Camera
from ..records.job import FrameTask, Instant
from ..records.shutter import Shutter
from ..records.timeline import MAX_FRAMES, ROW_RATE, SNAP, seconds_of_frame

FIRST_FRAME = 1  # where the sound begins, as in a new Blender scene


def parse_size(text: str) -> tuple[int, int]:
    """ "512x512" -> (width, height). Raises ArgumentError."""
    match = re.fullmatch(r"\s*(\d{1,6})\s*[xX×]\s*(\d{1,6})\s*", text, re.ASCII)
    if not match:
        raise ArgumentError(f"size {text!r} is not WIDTHxHEIGHT; give for example 512x512")
    width, height = int(match[1]), int(match[2])
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
        raise ArgumentError(f"size {width}x{height} is outside 1..{MAX_SIDE} pixels a side")
    return width, height


def check_measured(avatar: Avatar) -> None:
    """ArgumentError if the avatar cannot be approximated: `approximate` was not run on it."""
    if avatar.frozen_gaussians is None:
        raise ArgumentError(
            f"avatar {avatar.name!r} was not measured for --approximate; run `python -m core "
            "approximate` on it, or leave the option out"
        )


def frames_of_sound(
    rows: int, fps: float, first_frame: int = FIRST_FRAME, offset: float = 0.0
) -> range:
    """The frames from the first until the sound ends, at least one. offset: seconds from the first
    frame to the beginning of the sound. Raises ArgumentError."""
    _check_finite(offset=offset, fps=fps)
    seconds_of_frame(0, 0, fps)
    count = max(1, math.ceil((offset + rows / ROW_RATE) * fps - SNAP))
    if count > MAX_FRAMES:
        raise ArgumentError(f"the sound lasts {count} frames, more than {MAX_FRAMES}; give a range")
    return range(first_frame, first_frame + count)


def training_camera(
    avatar: Avatar, seconds: float, pose: str, size: tuple[int, int] | None
) -> Camera:
    """The avatar's own camera at that time, at its own size or resized."""
    return camera_like_training(avatar, viewmat_at(avatar, seconds, pose), size)


def camera_like_training(avatar: Avatar, viewmat: Float64, size: tuple[int, int] | None) -> Camera:
    """The avatar's own camera, moved to `viewmat` (4, 4), at its own size or resized."""
    own = avatar.camera
    camera = replace(own, viewmat=viewmat)
    return camera.resized(*size) if size else camera


def training_tasks(
    avatar: Avatar,
    frames: Iterable[int],
    *,
    fps: float = ROW_RATE,
    first_frame: int = FIRST_FRAME,
    offset: float = 0.0,
    pose: str = "track",
    strength: float = 1.0,
    mouth_gain: float = 1.0,
    opacity: float = 1.0,
    colour_gain: float = 1.0,
    approximate: bool = False,
    size: tuple[int, int] | None = None,
    shutter: Shutter | None = None,
) -> tuple[FrameTask, ...]:
    """Each frame seen by the training camera. first_frame, offset: the sound begins `offset`
    seconds after that frame. pose: one of avatar.motion.POSE_SOURCES. shutter: of motion blur. The
    others: as in Moment. Raises ArgumentError."""
    _check_finite(offset=offset, strength=strength)
    _check_finite(mouth_gain=mouth_gain, opacity=opacity, colour_gain=colour_gain)

    def instant(frame: float) -> Instant:
        seconds = seconds_of_frame(frame, first_frame, fps) - offset
        moment = replace(
            moment_at(avatar, seconds, pose, strength),
            mouth_gain=mouth_gain,
            opacity=opacity,
            colour_gain=colour_gain,
            approximate=approximate,
        )
        return Instant(moment, training_camera(avatar, seconds, pose, size))

    tasks = []
    for frame in frames:
        own, blur = instant(frame), shutter.frames(frame) if shutter else ()
        tasks.append(FrameTask(frame, own.moment, own.camera, tuple(map(instant, blur))))
    return tuple(tasks)


def _check_finite(**values: float) -> None:
    for name, given in values.items():
        if not abs(given) < 1e6:
            raise ArgumentError(f"{name} {given:g} is out of range; give a number within a million")
