"""From Blender to one frozen SplatJob: what a bake reads, and the object's place at each frame."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ...core.engine.interface import Engine
from ...core.records.arrays import Float64
from ...core.records.job import FrameTask
from ...core.records.progress import Progress
from ...core.records.splat_job import STILLS, SplatJob, SplatTask, bytes_a_frame
from ...core.system.files import megabytes
from .. import engines
from ..bake import job_of
from ..camera import splat_place, world_of
from ..controls.frames import step_to
from ..controls.state import head_in_object
from ..gather import NOTHING, Gathered, Loaded, gather, read_settings


@dataclass(frozen=True)
class Choice:
    """What the user chose. path: of the file. frames: scene frames in order, None for the whole
    sound; each `step`th of them is written, to a still only the first. sh_degree: 0 to 3."""

    path: Path
    file_format: str
    frames: tuple[int, ...] | None
    sh_degree: int = 3
    step: int = 1


@dataclass(frozen=True, eq=False)
class Ready:
    """Everything that needs Blender, read. places: one for each frame of the bake."""

    choice: Choice
    gathered: Gathered
    places: tuple[Float64, ...]
    name: str

    @property
    def total(self) -> int:
        """Frames to write, more if the sound turns out to be shorter."""
        still = self.choice.file_format in STILLS
        return 1 if still else len(self.places[:: self.choice.step])

    def size_line(self) -> str:
        """What will be written, before it is."""
        count = self.gathered.avatar.splats
        return size_line(self.choice.file_format, count, self.choice.sh_degree, self.total)


def size_line(file_format: str, count: int, degree: int, frames: int | None) -> str:
    """count: Gaussians. frames: None if the number is not known yet."""
    one = bytes_a_frame(file_format, count, degree)
    if frames is None:
        return f"At most {megabytes(one)} a frame"
    unit = "frame" if frames == 1 else "frames"
    return f"{frames} {unit}, at most {megabytes(one * frames)}"


def scene_range(scene: Any) -> tuple[int, ...]:
    return tuple(range(scene.frame_start, scene.frame_end + 1, scene.frame_step))


def read(
    context: Any, obj: Any, choice: Choice, known: Loaded = NOTHING, instance: str = ""
) -> Ready:
    """Steps the scene through the frames and returns to the current one. instance: see
    camera.world_of. InputError."""
    settings = read_settings(context.scene, obj, (choice.path.parent, choice.path.stem))
    settings = replace(settings, camera="training", size=None, shutter=None, frames=choice.frames)
    gathered = gather(context, obj, settings, known)
    places = tuple(places_of(context, obj, gathered.frames, instance))
    return Ready(choice, gathered, places, obj.name)


def places_of(context: Any, obj: Any, frames: Sequence[int], instance: str = "") -> list[Float64]:
    """The place of the object, or its instance, in the world at each frame, as splat files hold it.
    CameraError if its scale is uneven, or it has several instances and none is chosen."""
    scene = context.scene
    before, subframe = scene.frame_current, scene.frame_subframe
    places = []
    try:
        for frame in frames:
            step_to(scene, frame)
            world = world_of(context.evaluated_depsgraph_get(), obj, instance)
            places.append(splat_place(world, obj.name))
    finally:
        scene.frame_set(before, subframe=subframe)
    return places


def export_steps(engine: Engine, ready: Ready) -> Generator[Progress, None, None]:
    """Build the job in slices, then write it. Closing the generator stops the export."""
    from ...core.splat_export.loop import export_splats  # slow to import

    if ready.choice.file_format == "usdc":
        bpy.utils.expose_bundled_modules()  # OpenUSD's Python module
    baked = yield from job_of(ready.gathered, 0, ready.total)
    job = _splat_job(ready, baked)
    with engines.baking(), closing(export_splats(job, engine, ready.gathered.avatar)) as steps:
        yield from steps


def _splat_job(ready: Ready, job: Any) -> SplatJob:
    """job: the BakeJob of the same frames."""
    choice, settings = ready.choice, ready.gathered.settings
    pairs = [*zip(job.frames, ready.places, strict=False)]  # the sound may end earlier
    pairs = pairs[:: choice.step][: 1 if choice.file_format in STILLS else None]
    if ready.gathered.avatar.body is None:  # the export turns a bust itself
        pairs = [(task, _turned(ready, task, place)) for task, place in pairs]
    return SplatJob(
        avatar_path=job.avatar_path,
        avatar_hash=job.avatar_hash,
        voice=job.voice,
        frames=tuple(SplatTask(task.number, task.moment, place) for task, place in pairs),
        path=choice.path,
        file_format=choice.file_format,
        sh_degree=choice.sh_degree,
        fps=settings.fps,
        name=ready.name,
    )


def _turned(ready: Ready, task: FrameTask, place: Float64) -> Float64:
    gathered = ready.gathered
    turn = head_in_object(gathered.avatar, gathered.settings.pose, task.moment.pose)
    return place if turn is None else np.asarray(place @ turn, np.float64)
