"""Imports output of the official trainers: a point_cloud.ply, with or without its network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bpy
from bpy.props import EnumProperty, StringProperty

from ...core.errors import EgsError
from ...core.formats.splat_kinds import SUFFIXES
from .. import preferences
from .conversion import Conversion, Request, convert
from .importer import ImportFiles, chosen_paths, import_avatar

AXES_ITEMS = (
    ("auto", "Automatic", "What the file says, or its kind"),
    ("y-up", "Y Up", "As talking-head trainers write"),
    ("y-down", "Y Down", "As most splat tools and COLMAP write"),
    ("z-up", "Z Up", "As Blender, facing -Y"),
)
UNIT_ITEMS = (
    ("auto", "Automatic", "What the file says, or its kind"),
    ("decimetre", "Decimetre", "As talking-head trainers write"),
    ("metre", "Metre", "As most splat tools write"),
    ("centimetre", "Centimetre", ""),
)
TICK = 0.1  # seconds between two polls of the conversion


class EGSTALKER_OT_import_checkpoint(ImportFiles, bpy.types.Operator):
    bl_idname = "egstalker.import_checkpoint"
    bl_label = "Import EGSTalker Checkpoint"
    bl_description = (
        "Convert a trained point cloud to an avatar file in the same folder and import it. "
        "With its deformation.pth the head talks (this needs a worker with torch); without it, and "
        "from .splat, .ksplat, .spz or .sog, the head is still"
    )
    bl_options = {"REGISTER", "UNDO"}

    filename_ext = ".ply"
    filter_glob: StringProperty(
        default=";".join(f"*{suffix}" for suffix in SUFFIXES), options={"HIDDEN"}
    )
    dataset: StringProperty(
        name="Dataset",
        description="Folder of the training data: background, head poses, eyes. Empty: none",
        subtype="DIR_PATH",
        options={"SKIP_SAVE"},
    )

    axes: EnumProperty(
        name="Axes",
        description="Which way is up in a point cloud without a network",
        items=AXES_ITEMS,
        options={"SKIP_SAVE"},
    )
    unit: EnumProperty(
        name="Unit",
        description="Unit of a point cloud without a network",
        items=UNIT_ITEMS,
        options={"SKIP_SAVE"},
    )

    _interactive = False  # a script waits for the result, a user does not
    _queue: list[Request]
    _faults: list[str]
    _count = 0
    _conversion: Conversion | None = None
    _timer: Any = None

    def invoke(self, context: Any, event: Any) -> set[str]:
        self._interactive = True
        return ImportFiles.invoke(self, context, event)

    def execute(self, context: Any) -> set[str]:
        try:
            paths = chosen_paths(self)
            python = preferences.worker_python()
        except EgsError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        dataset = Path(bpy.path.abspath(self.dataset)) if self.dataset else None
        requests = [Request(path, dataset, python, self.axes, self.unit) for path in paths]
        self._faults, self._count = [], 0
        if self._interactive:
            return self._begin(context, requests)
        for request in requests:
            try:
                self._finish(context, convert(request))
            except EgsError as error:
                self._faults.append(str(error))
        return self._result()

    def _begin(self, context: Any, requests: list[Request]) -> set[str]:
        """In a window, Blender goes on drawing while the conversions run."""
        self._queue = requests
        manager = context.window_manager
        self._timer = manager.event_timer_add(TICK, window=context.window)
        manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: Any, event: Any) -> set[str]:
        if event.type == "ESC":
            self.report({"WARNING"}, "Import stopped")
            self._end(context)
            return {"FINISHED"} if self._count else {"CANCELLED"}
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        if self._queue:
            try:
                self._step(context)
            except EgsError as error:
                self._faults.append(str(error))
                self._next()
            return {"RUNNING_MODAL"}
        self._end(context)
        return self._result()

    def _step(self, context: Any) -> None:
        if self._conversion is None:
            name = self._queue[0].ply.name
            context.workspace.status_text_set(f"EGSTalker: converting {name}   Esc stops")
            self._conversion = Conversion(self._queue[0])
        path = self._conversion.step()
        if path is not None:
            self._finish(context, path, self._conversion.notes)
            self._next()

    def _next(self) -> None:
        self._queue.pop(0)
        if self._conversion is not None:
            self._conversion.close()
            self._conversion = None

    def cancel(self, context: Any) -> None:
        """Called by Blender when it quits or opens another file."""
        self._end(context)

    def _finish(self, context: Any, path: Path, notes: Sequence[str] = ()) -> None:
        obj = import_avatar(context, path)
        self._count += 1
        self.report({"INFO"}, f"{obj.name}: {len(obj.data.vertices)} Gaussians, saved as {path}")
        for note in notes:
            self.report({"INFO"}, note)

    def _result(self) -> set[str]:
        for fault in self._faults:
            self.report({"WARNING" if self._count else "ERROR"}, fault)
        return {"FINISHED"} if self._count else {"CANCELLED"}

    def _end(self, context: Any) -> None:
        if self._conversion is not None:
            self._conversion.close()
            self._conversion = None
        if self._timer is not None:
            context.window_manager.event_timer_remove(self._timer)
            self._timer = None
            if context.workspace is not None:
                context.workspace.status_text_set(None)


register, unregister = bpy.utils.register_classes_factory((EGSTALKER_OT_import_checkpoint,))
