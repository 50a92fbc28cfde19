"""Baking an avatar to files: in one go, or step by step under a modal operator."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy
from bpy.props import EnumProperty, StringProperty

from ..core.bake.resume import continued, unfinished
from ..core.engine.interface import Engine
from ..core.errors import ArgumentError, EgsError, OutputError
from ..core.records.job import OVERWRITE, BakeJob, Existing
from ..core.records.progress import Progress, progress_during
from ..core.system.steps import finished
from . import engines, preferences
from .blocks import file_of
from .gather import NOTHING, Gathered, gather_steps, job_steps, read_settings
from .output import output_of
from .placed import Placed, active_place, place_problem, places, rendered_places
from .properties import avatars_in
from .reasoned import NO_AVATAR, Reasoned
from .sound.strips import link_problem
from .stepped import Stepped, Steps
from .timeline import timer

ENGINE_ITEMS = (
    ("preferences", "Preferences", "The engine set in the preferences"),
    *preferences.ENGINE_ITEMS,
)


def bake_steps(engine: Engine, heads: Sequence[Gathered]) -> Steps:
    """For one head after the other: build the job of a gathered bake in slices, then write its
    frames by `bake_frames`. Progress counts the frames of all heads."""
    total, before = sum(len(gathered.frames) for gathered in heads), 0
    for gathered in heads:
        job = yield from job_of(gathered, before, total)
        total += len(job.frames) - len(gathered.frames)
        for step in bake_frames(engine, job, gathered.settings.existing):
            yield replace(step, done=before + step.done, total=total)
        before += len(job.frames)


def job_of(gathered: Gathered, done: int, total: int) -> Generator[Progress, None, BakeJob]:
    """Build the job of a gathered bake in slices; done, total: for the progress. Errors as
    job_steps."""
    return (yield from progress_during(job_steps(gathered), done, total))


def bake_frames(engine: Engine, job: BakeJob, existing: Existing = OVERWRITE) -> Steps:
    """Yields the engine's progress; at the end OutputError unless every frame was written, or was
    finished before, and its file exists. Closing the generator stops the engine within a frame."""
    written = set()
    with engines.baking():
        rest = yield from unfinished(job, existing)
        if rest is None:
            return
        done, total = len(job.frames) - len(rest.frames), len(job.frames)
        with closing(engine.bake(rest)) as steps:
            for progress in continued(steps, done, total):
                written.add(progress.number)
                yield progress
    missing = [
        task.number
        for task in rest.frames
        if task.number not in written or not _is_written(job.path_of(task))
    ]
    if missing:
        raise OutputError(
            f"{len(missing)} of {total} frames were not written, the first is "
            f"{missing[0]}; look at the log and bake them again"
        )


def _is_written(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0


def blocker(context: Any) -> str:
    """The reason why the active head cannot be baked now, empty if it can. Cheap: used at every
    redraw."""
    placed = active_place(context)
    return blocker_of(context.scene, placed) if placed is not None else NO_AVATAR


def blocker_of(scene: Any, placed: Placed, there: Sequence[Placed] | None = None) -> str:
    """The same for a head of the scene. there: as output_of."""
    obj = placed.obj
    there = places(scene) if there is None else there
    try:
        output_of(scene, obj, placed.instance, there)
    except EgsError as error:
        return head_blocker(scene, obj) or str(error)
    if obj.egstalker.camera_source == "scene" and scene.camera is None:
        return head_blocker(scene, obj) or "The scene has no camera"
    return head_blocker(scene, obj) or place_problem(scene, placed, there)


def blocker_of_all(scene: Any) -> str:
    """The reason why *Bake All* cannot run, empty if it can."""
    there = places(scene)
    heads = rendered_places(scene, there)
    if not heads:
        return "The scene has no avatar that is enabled in renders"
    problems = ((placed.name, blocker_of(scene, placed, there)) for placed in heads)
    return next((f"{name}: {problem}" for name, problem in problems if problem), "")


def head_blocker(scene: Any, obj: Any) -> str:
    """The reason why a head of the scene cannot be computed now: its files."""
    props = obj.egstalker
    try:
        if not file_of(props.avatar_block).is_file():
            return f"The avatar file is not at {props.avatar_path}"
    except EgsError:
        return "Save the .blend, or choose a full path for the avatar file"
    if props.sound_source == "CHANNEL" or (props.sound_source == "STRIP" and props.sound_strip):
        return link_problem(scene, obj)
    return ""


def rendered_heads(scene: Any) -> list[Any]:
    """The avatars of the scene that are not disabled in renders."""
    return [obj for obj in avatars_in(scene) if not obj.hide_render]


class BakeOperator(Reasoned, Stepped):
    """Mixin of an operator that bakes the `heads` of the context: at once from a script, step by
    step in a window."""

    bl_options = {"REGISTER"}

    engine: EnumProperty(
        name="Engine", description="Engine that computes the frames", items=ENGINE_ITEMS
    )
    worker_python: StringProperty(
        name="Worker Python",
        description="Interpreter of the worker. Empty: the one in the preferences",
        subtype="FILE_PATH",
        options={"SKIP_SAVE"},
    )

    stopped, finished = "Bake stopped; finished files are kept", "Bake finished"

    @classmethod
    def heads(cls, context: Any) -> list[Placed]:
        raise NotImplementedError

    def _bake(self, scene: Any, heads: list[Placed], gathered: list[Gathered]) -> Steps:
        return bake_steps(self._engine(), gathered)

    def _result(self, gathered: list[Gathered]) -> str:
        count = sum(len(head.frames) for head in gathered)
        folders = dict.fromkeys(str(head.settings.directory) for head in gathered)
        return f"{count} frames in {', '.join(folders)}"

    def execute(self, context: Any) -> set[str]:
        try:
            heads = self.heads(context)
            gathered = finished(self._gather(context, heads))
            for _ in self._bake(context.scene, heads, gathered):
                pass
        except EgsError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, self._result(gathered))
        return {"FINISHED"}

    def invoke(self, context: Any, _event: Any) -> set[str]:
        steps = self._work(context)
        try:
            first = next(steps)
        except EgsError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return self.begin(context, steps, first.total)

    def _work(self, context: Any) -> Steps:
        """Everything that needs Blender is read before the first progress, unless a sound must be
        decoded to know its length."""
        scene, heads = context.scene, self.heads(context)
        try:
            gathered = yield from progress_during(self._gather(context, heads), 0, 0)
            steps = self._bake(scene, heads, gathered)
        except ReferenceError:
            raise ArgumentError("a head was removed before its bake began") from None
        yield Progress(0, sum(len(head.frames) for head in gathered))
        yield from steps

    def _gather(self, context: Any, heads: list[Placed]) -> Generator[None, None, list[Gathered]]:
        """Of all heads, so that bad input of any is found before the first frame is computed."""
        timeline, gathered = timer.service(), []
        for head in heads:
            settings = read_settings(context.scene, head.obj, instance=head.instance)
            known = timeline.loaded(context.scene, head.obj) if timeline else NOTHING
            gathered.append((yield from gather_steps(context, head.obj, settings, known)))
        return gathered

    def _engine(self) -> Engine:
        kind = "" if self.engine == "preferences" else self.engine
        return engines.engine_for(kind, preferences.python_path(self.worker_python))


class EGSTALKER_OT_bake(BakeOperator, bpy.types.Operator):
    bl_idname = "egstalker.bake"
    bl_label = "Bake Frames"
    bl_description = "Write the talking head as pictures. Esc stops; finished files stay"

    @classmethod
    def reason(cls, context: Any) -> str:
        return blocker(context)

    @classmethod
    def heads(cls, context: Any) -> list[Placed]:
        placed = active_place(context)
        return [placed] if placed is not None else []


class EGSTALKER_OT_bake_all(BakeOperator, bpy.types.Operator):
    bl_idname = "egstalker.bake_all"
    bl_label = "Bake All"
    bl_description = (
        "Write all talking heads of the scene that are not disabled in renders, each with its own "
        "settings and into its own files. Esc stops; finished files stay"
    )

    @classmethod
    def reason(cls, context: Any) -> str:
        return blocker_of_all(context.scene)

    @classmethod
    def heads(cls, context: Any) -> list[Placed]:
        return rendered_places(context.scene)


CLASSES = (EGSTALKER_OT_bake, EGSTALKER_OT_bake_all)
register, unregister = bpy.utils.register_classes_factory(CLASSES)
