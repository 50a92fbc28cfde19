"""The buttons of a training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy

from ...core.errors import EgsError, MissingPackageError
from ..jobs.operators import JobOperator, ShowFile, ShowLog, Start, Stop
from .gather import blocker, can_resume, settings_of
from .session import session


def begin(context: Any, resume: bool) -> None:
    """EgsError."""
    settings = settings_of(context, resume)
    models = settings.landmark_model is not None and settings.segmenter is not None
    answer = session().probe.wait_for(settings.python)
    reason = answer.reason(settings.video is not None, models)
    if reason:
        raise MissingPackageError(reason)
    wanted = context.scene.egstalker_training.import_result
    session().begin(settings, context.scene if wanted else None)


class TrainOperator(JobOperator):
    session = staticmethod(session)


class EGSTALKER_OT_train(TrainOperator, Start, bpy.types.Operator):
    bl_idname = "egstalker.train"
    bl_label = "Train"
    bl_description = (
        "Train an avatar in the worker's Python, in the background. The saved state of an "
        "earlier training with this output is kept as a backup"
    )
    bl_options = {"REGISTER"}

    @classmethod
    def reason(cls, context: Any) -> str:
        return blocker(context)

    def invoke(self, context: Any, event: Any) -> set[str]:
        if can_resume(context.scene):
            return set(context.window_manager.invoke_confirm(
                self,
                event,
                title="Start Over",
                message="The earlier training becomes the backup; an older backup is lost",
                confirm_text="Start Over",
                icon="WARNING",
            ))  # fmt: skip
        return self.execute(context)

    def begin(self, context: Any) -> None:
        begin(context, resume=False)


class EGSTALKER_OT_train_resume(TrainOperator, Start, bpy.types.Operator):
    bl_idname = "egstalker.train_resume"
    bl_label = "Resume"
    bl_description = "Continue the training whose state was saved for this output"
    bl_options = {"REGISTER"}

    @classmethod
    def reason(cls, context: Any) -> str:
        nothing = (
            "" if can_resume(context.scene) else "No training with this output has saved a state"
        )
        return blocker(context) or nothing

    def begin(self, context: Any) -> None:
        begin(context, resume=True)


class EGSTALKER_OT_train_stop(TrainOperator, Stop, bpy.types.Operator):
    bl_idname = "egstalker.train_stop"
    bl_label = "Stop Training"
    bl_description = (
        "Save the training's state and stop; Resume continues from it. Press again to stop at once"
    )
    bl_options = {"REGISTER", "INTERNAL"}

    nothing_runs = "No training is running"


class EGSTALKER_OT_train_log(TrainOperator, ShowLog, bpy.types.Operator):
    bl_idname = "egstalker.train_log"
    bl_label = "Show Log"
    bl_description = "Open the output of the last training in the system's text viewer"
    bl_options = {"REGISTER", "INTERNAL"}

    no_file = "There is no log, because no training has run in this session"


class EGSTALKER_OT_train_report(TrainOperator, ShowFile, bpy.types.Operator):
    bl_idname = "egstalker.train_report"
    bl_label = "Show Report"
    bl_description = "Open the page that shows what the video is good for, with advice"
    bl_options = {"REGISTER", "INTERNAL"}

    no_file = "There is no report, because no video was prepared in this session"

    @classmethod
    def path(cls) -> Path | None:
        return session().news.page


class EGSTALKER_OT_train_import(bpy.types.Operator):
    bl_idname = "egstalker.train_import"
    bl_label = "Import Result"
    bl_description = "Import the trained avatar"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, _context: Any) -> bool:
        result = session().result
        if result is None or not result.is_file():
            cls.poll_message_set("There is no trained avatar to import")
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
    EGSTALKER_OT_train_report,
    EGSTALKER_OT_train_import,
)
register, unregister = bpy.utils.register_classes_factory(CLASSES)
