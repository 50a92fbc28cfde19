"""The buttons of a training."""

from __future__ import annotations

from typing import Any

import bpy

from ...core.errors import EgsError
from . import picture
from .gather import blocker, can_resume, settings_of
from .session import session, watch


def _begin(operator: Any, context: Any, resume: bool) -> set[str]:
    try:
        settings = settings_of(context, resume)
        reason = session().probe.wait_for(settings.python).reason(settings.video is not None)
        if reason:
            operator.report({"ERROR"}, reason)
            return {"CANCELLED"}
        wanted = context.scene.egstalker_training.import_result
        session().begin(settings, context.scene if wanted else None)
    except EgsError as error:
        operator.report({"ERROR"}, str(error))
        return {"CANCELLED"}
    picture.clear()
    watch()
    state = session().state
    if state is not None and state.kind == "failed":
        operator.report({"ERROR"}, state.text)
        return {"CANCELLED"}
    return {"FINISHED"}


class EGSTALKER_OT_train(bpy.types.Operator):
    bl_idname = "egstalker.train"
    bl_label = "Train"
    bl_description = (
        "Train an avatar in the worker's Python, in the background. What an earlier training with "
        "this output has saved is put aside, once"
    )
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        reason = blocker(context)
        if reason:
            cls.poll_message_set(reason)
        return not reason

    def invoke(self, context: Any, event: Any) -> set[str]:
        if can_resume(context.scene):
            return set(context.window_manager.invoke_confirm(
                self,
                event,
                title="Start Over",
                message="The state of the earlier training is put aside; an older one is lost",
                confirm_text="Start Over",
                icon="WARNING",
            ))  # fmt: skip
        return self.execute(context)

    def execute(self, context: Any) -> set[str]:
        return _begin(self, context, resume=False)


class EGSTALKER_OT_train_resume(bpy.types.Operator):
    bl_idname = "egstalker.train_resume"
    bl_label = "Resume"
    bl_description = "Go on with the training whose state is beside the output"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        reason = blocker(context)
        if not reason and not can_resume(context.scene):
            reason = "No training with this output has saved a state"
        if reason:
            cls.poll_message_set(reason)
        return not reason

    def execute(self, context: Any) -> set[str]:
        return _begin(self, context, resume=True)


class EGSTALKER_OT_train_stop(bpy.types.Operator):
    bl_idname = "egstalker.train_stop"
    bl_label = "Stop Training"
    bl_description = (
        "Save the training's state and stop; Resume goes on from it. Again: do not wait for that"
    )
    bl_options = {"REGISTER", "INTERNAL"}

    @classmethod
    def poll(cls, _context: Any) -> bool:
        if not session().running:
            cls.poll_message_set("No training runs")
            return False
        return True

    def execute(self, _context: Any) -> set[str]:
        session().stop()
        return {"FINISHED"}


class EGSTALKER_OT_train_log(bpy.types.Operator):
    bl_idname = "egstalker.train_log"
    bl_label = "Show Log"
    bl_description = "Open what the last training wrote, in the system's text viewer"
    bl_options = {"REGISTER", "INTERNAL"}

    @classmethod
    def poll(cls, _context: Any) -> bool:
        job = session().job
        if job is None or not job.log.is_file():
            cls.poll_message_set("There is no log; no training ran in this session")
            return False
        return True

    def execute(self, _context: Any) -> set[str]:
        job = session().job
        if job is None:
            return {"CANCELLED"}
        bpy.ops.wm.path_open(filepath=str(job.log))
        self.report({"INFO"}, str(job.log))
        return {"FINISHED"}


class EGSTALKER_OT_train_import(bpy.types.Operator):
    bl_idname = "egstalker.train_import"
    bl_label = "Import Result"
    bl_description = "Make an object of the avatar that was trained"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, _context: Any) -> bool:
        result = session().result
        if result is None or not result.is_file():
            cls.poll_message_set("No training has ended with an avatar that is not imported yet")
            return False
        return True

    def execute(self, context: Any) -> set[str]:
        from ..avatars.importer import import_avatar

        result = session().result
        if result is None:
            return {"CANCELLED"}
        try:
            obj = import_avatar(context, result)
        except EgsError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        session().result = None
        self.report({"INFO"}, f"{obj.name}: {len(obj.data.vertices)} Gaussians")
        return {"FINISHED"}


CLASSES = (
    EGSTALKER_OT_train,
    EGSTALKER_OT_train_resume,
    EGSTALKER_OT_train_stop,
    EGSTALKER_OT_train_log,
    EGSTALKER_OT_train_import,
)


def register() -> None:
    for cls in CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
