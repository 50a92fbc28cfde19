"""Baking an avatar to files: in one go, or step by step under a modal operator."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import Any

import bpy
from bpy.props import EnumProperty, StringProperty

from ..core.engine.interface import Engine
from ..core.errors import EgsError, OutputError
from ..core.records.job import BakeJob
from ..core.records.progress import Progress
from . import engines, preferences
from .gather import NOTHING, Gathered, absolute, gather, job_steps, read_settings
from .properties import active_avatar
from .reasoned import NO_AVATAR, Reasoned
from .sound.strips import link_problem
from .timeline import timer

Steps = Generator[Progress, None, None]

TICK = 0.01  # seconds between two steps of the modal operator
ENGINE_ITEMS = (
    ("preferences", "Preferences", "The engine set in the preferences"),
    *preferences.ENGINE_ITEMS,
)


def bake_steps(engine: Engine, gathered: Gathered) -> Steps:
    """Build the job of a gathered bake in slices, then write its frames by `bake_frames`."""
    total, slices = len(gathered.frames), job_steps(gathered)
    while True:
        try:
            next(slices)
        except StopIteration as end:
            job: BakeJob = end.value
            break
        yield Progress(0, total)
    yield from bake_frames(engine, job)


def bake_frames(engine: Engine, job: BakeJob) -> Steps:
    """Yields the engine's progress; at the end OutputError unless every frame was written and its
    file exists. Closing the generator stops the engine within a frame."""
    written = set()
    with engines.baking(), closing(engine.bake(job)) as steps:
        for progress in steps:
            written.add(progress.number)
            yield progress
    missing = [
        task.number
        for task in job.frames
        if task.number not in written or not _is_written(job.path_of(task))
    ]
    if missing:
        raise OutputError(
            f"{len(missing)} of {len(job.frames)} frames were not written, the first is "
            f"{missing[0]}; look at the log and bake them again"
        )


def _is_written(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0


def blocker(context: Any) -> str:
    """The reason why a bake cannot start now, empty if it can. Cheap: used at every redraw."""
    obj = active_avatar(context)
    if obj is None:
        return NO_AVATAR
    props = obj.egstalker
    try:
        if not absolute(props.avatar_path, obj).is_file():
            return f"The avatar file is not at {props.avatar_path}"
        absolute(props.output_path, obj)
    except EgsError:
        return "Save the .blend, or choose a full path for the output"
    if props.sound_source == "CHANNEL" or (props.sound_source == "STRIP" and props.sound_strip):
        problem = link_problem(context.scene, obj)
        if problem:
            return problem
    if props.camera_source == "scene" and context.scene.camera is None:
        return "The scene has no camera"
    return ""


class EGSTALKER_OT_bake(Reasoned, bpy.types.Operator):
    bl_idname = "egstalker.bake"
    bl_label = "Bake Frames"
    bl_description = "Write the talking head as pictures. Esc stops; finished files stay"
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

    _steps: Steps | None = None
    _timer: Any = None

    @classmethod
    def reason(cls, context: Any) -> str:
        return blocker(context)

    def execute(self, context: Any) -> set[str]:
        try:
            gathered = self._gather(context)
            for _ in bake_steps(self._engine(), gathered):
                pass
        except EgsError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, f"{len(gathered.frames)} frames in {gathered.settings.directory}")
        return {"FINISHED"}

    def invoke(self, context: Any, _event: Any) -> set[str]:
        try:
            gathered = self._gather(context)
            self._steps = bake_steps(self._engine(), gathered)
        except EgsError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        manager = context.window_manager
        self._timer = manager.event_timer_add(TICK, window=context.window)
        manager.progress_begin(0, len(gathered.frames))
        manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: Any, event: Any) -> set[str]:
        if event.type == "ESC":
            self.report({"WARNING"}, "Bake stopped; finished files are kept")
            return self._end(context, "CANCELLED")
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        try:
            progress = next(self._steps, None) if self._steps else None
        except EgsError as error:
            self.report({"ERROR"}, str(error))
            return self._end(context, "CANCELLED")
        if progress is None:
            self.report({"INFO"}, "Bake finished")
            return self._end(context, "FINISHED")
        context.window_manager.progress_update(progress.done)
        if progress.note or progress.number is not None:
            text = progress.note or f"frame {progress.done} of {progress.total}"
            context.workspace.status_text_set(f"EGSTalker: {text}   Esc stops")
        return {"RUNNING_MODAL"}

    def cancel(self, context: Any) -> None:
        """Called by Blender when it quits or opens another file."""
        self._end(context, "CANCELLED")

    def _gather(self, context: Any) -> Gathered:
        obj = active_avatar(context)
        settings, timeline = read_settings(context.scene, obj), timer.service()
        known = timeline.loaded(context.scene, obj) if timeline else NOTHING
        return gather(context, obj, settings, known)

    def _engine(self) -> Engine:
        kind = "" if self.engine == "preferences" else self.engine
        return engines.engine_for(kind, preferences.python_path(self.worker_python))

    def _end(self, context: Any, result: str) -> set[str]:
        if self._steps is not None:
            self._steps.close()
            self._steps = None
        if self._timer is not None:
            context.window_manager.event_timer_remove(self._timer)
            context.window_manager.progress_end()
            self._timer = None
        if context.workspace is not None:
            context.workspace.status_text_set(None)
        return {result}


register, unregister = bpy.utils.register_classes_factory((EGSTALKER_OT_bake,))
