"""From Blender to the paths of landmarks over the scene's frames."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...core.avatar.landmarks import attached
from ...core.bake.features import track_of_frames
from ...core.engine.interface import Engine
from ...core.records.arrays import Float64
from ...core.records.audio_track import AudioTrack
from ...core.records.progress import Progress
from .. import engines
from ..bake import job_of
from ..camera import in_object, vertices_of
from ..controls.state import head_in_object
from ..export.gather import scene_range
from ..gather import NOTHING, Gathered, Loaded, gather, read_settings


@dataclass(frozen=True, eq=False)
class Paths:
    """Of L landmarks over F scene frames, in the object's local axes: places (F, L, 3), metres, and
    the head's turn (F, 3, 3), which all share."""

    names: tuple[str, ...]
    frames: tuple[int, ...]
    places: Float64
    turns: Float64


def read(context: Any, obj: Any, known: Loaded = NOTHING) -> Gathered:
    """Steps the scene through its frames if it must, and returns to the current one. InputError."""
    settings = read_settings(context.scene, obj, (Path(), ""))
    frames = scene_range(context.scene)
    settings = replace(settings, camera="training", size=None, shutter=None, frames=frames)
    return gather(context, obj, settings, known)


def path_steps(
    engine: Engine, gathered: Gathered, names: tuple[str, ...]
) -> Generator[Progress, None, Paths]:
    """Compute every frame as a bake does, and where the landmarks are. Errors as of a bake."""
    avatar, pose = gathered.avatar, gathered.settings.pose
    landmarks = attached(avatar, names)
    job = yield from job_of(gathered, 0, len(gathered.frames))
    total, track = len(job.frames), job.voice
    if not isinstance(track, AudioTrack):
        times = [task.moment.seconds for task in job.frames]
        track = yield from track_of_frames(avatar, track, times, total)
    places = np.empty((total, len(names), 3))
    turns = np.tile(np.eye(3), (total, 1, 1))
    with engines.baking():
        for done, task in enumerate(job.frames):
            found = landmarks.places(engine.deform(avatar, track, task.moment).means)
            turn = head_in_object(avatar, pose, task.moment.pose)
            if turn is not None:
                found = found @ turn[:3, :3].T + turn[:3, 3]
                turns[done] = in_object(turn)[:3, :3]
            places[done] = vertices_of(found.astype(np.float32))
            yield Progress(done + 1, total, task.number)
    return Paths(names, tuple(task.number for task in job.frames), places, turns)
