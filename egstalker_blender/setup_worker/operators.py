"""The buttons of the worker in the preferences."""

from __future__ import annotations

from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty, StringProperty

from ...core.errors import MissingPackageError
from ...core.prepare.packages import unknown_models
from .. import preferences
from ..jobs.operators import JobOperator, ShowLog, Start, Stop
from ..panels.labels import translated, wrapped
from .plan import CHOICES
from .session import session

DIALOG_WIDTH, DIALOG_CHARACTERS = 420, 58  # pixels, and what fits in them
BUSY = "Wait for the check or the set-up to end"


def offline_reason() -> str:
    """The reason why downloads are not allowed, empty if they are."""
    if bpy.app.online_access:
        return ""
    if bpy.app.online_access_override:
        return "Online access was turned off when Blender was started"
    return "Allow Online Access in Preferences > System first"


class WorkerOperator(JobOperator):
    session = staticmethod(session)


class EGSTALKER_OT_worker_check(WorkerOperator, Start, bpy.types.Operator):
    bl_idname = "egstalker.worker_check"
    bl_label = "Check"
    bl_description = "Start the worker's Python and show its version, packages and device"
    bl_options = {"REGISTER", "INTERNAL"}

    @classmethod
    def reason(cls, _context: Any) -> str:
        return BUSY if session().busy else ""

    def begin(self, _context: Any) -> None:
        python = preferences.worker_python()
        if python is None:
            raise MissingPackageError("no worker Python is chosen; choose or set up one")
        session().begin_check(python)

    def fault(self) -> str:
        check = session().check
        return check.fault if check is not None else ""


class EGSTALKER_OT_worker_set_up(WorkerOperator, Start, bpy.types.Operator):
    bl_idname = "egstalker.worker_set_up"
    bl_label = "Set Up Worker"
    bl_description = (
        "Create a Python environment in the extension's user folder and install the worker's "
        "packages into it. Blender's own Python is not changed"
    )
    bl_options = {"REGISTER", "INTERNAL"}

    choice: EnumProperty(
        name="For", description="Device that the worker computes on", items=CHOICES
    )
    videos: BoolProperty(
        name="Videos",
        description="Also install the packages that turn a video into a training dataset: "
        "mediapipe, av and scipy, about 1 GB more. Python 3.13, the one of Blender 5.1 and later, "
        "also needs the two model files",
    )
    base: StringProperty(
        name="Python",
        description="Interpreter that the environment is created with, 3.11 or later. Empty: the "
        "best one that is found, otherwise Blender's own",
        subtype="FILE_PATH",
    )

    @classmethod
    def reason(cls, _context: Any) -> str:
        return offline_reason() or (BUSY if session().busy else "")

    def invoke(self, context: Any, _event: Any) -> set[str]:
        return set(
            context.window_manager.invoke_props_dialog(
                self, width=DIALOG_WIDTH, confirm_text="Set Up"
            )
        )

    def draw(self, _context: Any) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.prop(self, "choice")
        layout.prop(self, "videos")
        settings = preferences.get()
        if self.videos and settings is not None:
            layout.prop(settings, "landmark_model")
            layout.prop(settings, "segmenter")
        layout.prop(self, "base")
        text = translated(next(item[2] for item in CHOICES if item[0] == self.choice))
        col = layout.column(align=True)
        for line in wrapped(text, DIALOG_CHARACTERS):
            col.label(text=line, translate=False)

    def begin(self, _context: Any) -> None:
        base = preferences.python_path(self.base)
        if self.videos:
            for line in unknown_models(preferences.video_models().labelled):
                self.report({"WARNING"}, line)
        session().begin_set_up(self.choice, base, videos=self.videos)


class EGSTALKER_OT_worker_cancel(WorkerOperator, Stop, bpy.types.Operator):
    bl_idname = "egstalker.worker_cancel"
    bl_label = "Cancel Set-Up"
    bl_description = "Stop the set-up and remove its files"
    bl_options = {"REGISTER", "INTERNAL"}

    nothing_runs = "No set-up is running"


class EGSTALKER_OT_worker_log(WorkerOperator, ShowLog, bpy.types.Operator):
    bl_idname = "egstalker.worker_log"
    bl_label = "Show Log"
    bl_description = "Open the output of the last set-up in the system's text viewer"
    bl_options = {"REGISTER", "INTERNAL"}

    no_file = "There is no log, because no set-up has run in this session"


CLASSES = (
    EGSTALKER_OT_worker_check,
    EGSTALKER_OT_worker_set_up,
    EGSTALKER_OT_worker_cancel,
    EGSTALKER_OT_worker_log,
)
register, unregister = bpy.utils.register_classes_factory(CLASSES)
