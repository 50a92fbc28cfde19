"""The buttons of the worker in the preferences."""

from __future__ import annotations

from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty, StringProperty

from ...core.errors import EgsError
from .. import preferences
from ..folders import user_folder
from ..panels.labels import translated, wrapped
from .plan import CHOICES
from .session import LOG, ROOT, session, watch

DIALOG_WIDTH, DIALOG_CHARACTERS = 420, 58  # pixels, and what fits in them


def offline_reason() -> str:
    """Why nothing may be downloaded, empty where it may."""
    if bpy.app.online_access:
        return ""
    if bpy.app.online_access_override:
        return "Online access was turned off when Blender was started"
    return "Allow Online Access in Preferences > System first"


class EGSTALKER_OT_worker_check(bpy.types.Operator):
    bl_idname = "egstalker.worker_check"
    bl_label = "Check"
    bl_description = "Start the worker's Python and show its version, packages and device"
    bl_options = {"REGISTER", "INTERNAL"}

    @classmethod
    def poll(cls, _context: Any) -> bool:
        if session().busy:
            cls.poll_message_set("Wait for the check or the set-up that runs")
            return False
        return True

    def execute(self, _context: Any) -> set[str]:
        try:
            python = preferences.worker_python()
        except EgsError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        if python is None:
            self.report({"ERROR"}, "no worker Python is chosen; choose or set up one")
            return {"CANCELLED"}
        check = session().begin_check(python)
        watch()
        if check.fault:
            self.report({"ERROR"}, check.fault)
            return {"CANCELLED"}
        return {"FINISHED"}


class EGSTALKER_OT_worker_set_up(bpy.types.Operator):
    bl_idname = "egstalker.worker_set_up"
    bl_label = "Set Up Worker"
    bl_description = (
        "Make a Python environment in the extension's user folder and install the worker's "
        "packages in it. Blender's own Python stays as it is"
    )
    bl_options = {"REGISTER", "INTERNAL"}

    choice: EnumProperty(name="For", description="What the worker computes on", items=CHOICES)
    videos: BoolProperty(
        name="Videos",
        description="Also install what makes a dataset from a film, for training: mediapipe, av "
        "and scipy, about 1 GB more. They need Python 3.11 or 3.12",
    )
    base: StringProperty(
        name="Python",
        description="Interpreter to make the environment from, 3.11 or later. Empty: the best "
        "that is found, at last the one that Blender ships",
        subtype="FILE_PATH",
    )

    @classmethod
    def poll(cls, _context: Any) -> bool:
        reason = offline_reason()
        if not reason and session().busy:
            reason = "Wait for the check or the set-up that runs"
        if reason:
            cls.poll_message_set(reason)
        return not reason

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
        layout.prop(self, "base")
        text = translated(next(item[2] for item in CHOICES if item[0] == self.choice))
        col = layout.column(align=True)
        for line in wrapped(text, DIALOG_CHARACTERS):
            col.label(text=line, translate=False)

    def execute(self, _context: Any) -> set[str]:
        try:
            base = preferences.python_path(self.base)
            session().begin_set_up(self.choice, base, videos=self.videos)
        except EgsError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        watch()
        state = session().state
        if state is not None and state.kind == "failed":
            self.report({"ERROR"}, state.text)
            return {"CANCELLED"}
        return {"FINISHED"}


class EGSTALKER_OT_worker_cancel(bpy.types.Operator):
    bl_idname = "egstalker.worker_cancel"
    bl_label = "Cancel Set-Up"
    bl_description = "Stop the set-up and remove what it made"
    bl_options = {"REGISTER", "INTERNAL"}

    @classmethod
    def poll(cls, _context: Any) -> bool:
        if not session().setting_up:
            cls.poll_message_set("No set-up runs")
            return False
        return True

    def execute(self, _context: Any) -> set[str]:
        session().cancel()
        return {"FINISHED"}


class EGSTALKER_OT_worker_log(bpy.types.Operator):
    bl_idname = "egstalker.worker_log"
    bl_label = "Show Log"
    bl_description = "Open what the last set-up wrote, in the system's text viewer"
    bl_options = {"REGISTER", "INTERNAL"}

    @classmethod
    def poll(cls, _context: Any) -> bool:
        job = session().job
        if job is None or not job.log.is_file():
            cls.poll_message_set("There is no log; no set-up ran in this session")
            return False
        return True

    def execute(self, _context: Any) -> set[str]:
        try:
            log = user_folder(ROOT) / LOG
        except EgsError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        bpy.ops.wm.path_open(filepath=str(log))
        self.report({"INFO"}, str(log))
        return {"FINISHED"}


CLASSES = (
    EGSTALKER_OT_worker_check,
    EGSTALKER_OT_worker_set_up,
    EGSTALKER_OT_worker_cancel,
    EGSTALKER_OT_worker_log,
)


def register() -> None:
    for cls in CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
