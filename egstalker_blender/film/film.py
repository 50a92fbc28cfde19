"""From a gathered bake to a film: its frames, its sound, the encoder."""

from __future__ import annotations

import itertools
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...core.bake.loop import make_folder
from ...core.bake.origin import xmp_of
from ...core.engine.interface import Engine
from ...core.errors import ArgumentError
from ...core.records.avatar import Avatar
from ...core.records.job import OVERWRITE, BakeJob, Existing
from ...core.records.progress import Progress
from ...core.system.leftovers import temporary_folder
from ..bake import bake_frames, job_of
from ..gather import Gathered
from ..sound.elsewhere import mix_steps
from ..stepped import Steps
from .encode import Film, encode_steps
from .plan import Plan
from .voice import voice_of


def film_steps(scene: Any, obj: Any, engine: Engine, gathered: Gathered, plan: Plan) -> Steps:
    """Build the job of a gathered bake in slices, then `film_of_job`."""
    job = yield from job_of(gathered, 0, len(gathered.frames))
    existing = gathered.settings.existing
    yield from film_of_job(scene, obj, engine, job, gathered.avatar, plan, existing)


def film_of_job(
    scene: Any,
    obj: Any,
    engine: Engine,
    job: BakeJob,
    avatar: Avatar,
    plan: Plan,
    existing: Existing = OVERWRITE,
) -> Steps:
    """Mixes the voice, bakes the job's frames and encodes both, in a second Blender. Closing it
    stops within a frame: no film is left, and an older one of that name stays; frames stay if they
    are to be kept. Scene and object are read before the first progress. EgsError."""
    total, alpha = len(job.frames), not (job.background and avatar.background is not None)
    size = _checked(job)
    make_folder(plan.path.parent)
    with temporary_folder() as temporary:
        folder, sound = Path(temporary), Path(temporary) / "voice.wav"
        first, last = job.frames[0].number, job.frames[-1].number
        try:
            rate = scene.render.fps, scene.render.fps_base
            voice = voice_of(scene, obj, first, last, folder)
        except ReferenceError:
            raise ArgumentError("the head was removed before its film was begun") from None
        yield Progress(0, total)
        if voice is not None:
            with closing(mix_steps(voice, sound)) as mixing:
                for tick, _ in enumerate(mixing):
                    yield Progress(0, total, note="" if tick else "mixing the voice")
        if not plan.keep_frames:
            job, existing = replace(job, directory=folder / "frames"), OVERWRITE
        yield from bake_frames(engine, job, existing)
        film = Film(
            path=plan.path,
            pictures=tuple(job.path_of(task) for task in job.frames),
            size=size,
            fps=rate[0],
            fps_base=rate[1],
            alpha=alpha and plan.path.suffix.lower() == ".webm",
            sound=sound if voice is not None else None,
            xmp=xmp_of(avatar, job.background) if job.xmp else "",
        )
        with closing(encode_steps(film)) as steps:
            yield from steps


def _checked(job: BakeJob) -> tuple[int, int]:
    """The size of the pictures. ArgumentError unless Blender can make a film of them."""
    frames = [task.number for task in job.frames]
    for before, after in itertools.pairwise(frames):
        if after != before + 1:
            raise ArgumentError(
                f"a film needs every frame of its range, but {after} follows {before}; set the "
                "frame step to 1, or bake frames"
            )
    if frames[0] < 0:
        raise ArgumentError(
            f"a film cannot begin at frame {frames[0]}, because Blender mixes no sound before "
            "frame 0; move the shot"
        )
    width, height = job.frames[0].camera.width, job.frames[0].camera.height
    if width % 2 or height % 2:
        raise ArgumentError(
            f"a film of {width} x {height} pixels cannot be encoded; choose an even width and "
            "height"
        )
    return width, height
