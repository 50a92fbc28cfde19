"""The one training of this Blender, and the avatar that it makes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy

from ...core.errors import EngineError
from ..jobs.job import DONE, State
from ..jobs.session import Session
from . import picture
from .job import Training
from .news import News
from .plan import Settings, steps_for
from .probe import Probe

NOTHING = News()


class TrainingSession(Session):
    """The state that the panel shows."""

    job: Training | None

    def reset(self) -> None:
        super().reset()
        picture.clear()
        self.settings: Settings | None = None
        self.probe = Probe()
        self.result: Path | None = None  # a finished avatar that is not imported yet
        self.fault = ""  # why it could not be imported
        self._scene = 0  # the scene that the result is imported into, 0 for none

    @property
    def news(self) -> News:
        return self.job.news if self.job is not None else NOTHING

    def begin(self, settings: Settings, wanted_in: Any = None) -> None:
        """wanted_in: the scene that the result is imported into, None for none. EgsError."""
        if self.running:
            raise EngineError("a training is running already; wait for it, or stop it")
        job = Training(steps_for(settings), settings.work)
        picture.clear()
        self.settings, self.result, self.fault = settings, None, ""
        self._scene = wanted_in.session_uid if wanted_in is not None else 0
        self.start(job)

    def on_end(self, job: Training, state: State) -> None:
        if state.kind == DONE and self.settings is not None:
            self.result = self.settings.output

    @property
    def wanted(self) -> bool:
        return self.busy or self.probe.busy or self.wants_import

    @property
    def wants_import(self) -> bool:
        """True if the result exists and its scene is the current one."""
        scene = bpy.context.scene
        return self.result is not None and scene is not None and scene.session_uid == self._scene

    def after_tick(self) -> None:
        if not bpy.app.background:
            picture.show(self.news.preview)
        self.try_import()

    def try_import(self) -> None:
        """Import the result when that disturbs nothing; until then it waits."""
        if self.result is None or not self.wants_import or _user_is_busy():
            return
        self._scene = 0  # try once; later only the button imports it
        windows = bpy.context.window_manager.windows
        try:
            if windows:  # a timer has no window, but the import's undo step needs one
                with bpy.context.temp_override(window=windows[0]):
                    bpy.ops.egstalker.train_import("EXEC_DEFAULT", True)
            else:
                bpy.ops.egstalker.train_import()
        except RuntimeError as error:
            self.fault = " ".join(str(error).removeprefix("Error: ").split())


def _user_is_busy() -> bool:
    """True while the user edits, sculpts, drags or renders, so no object may appear."""
    manager = bpy.context.window_manager
    modal = any(len(window.modal_operators) for window in manager.windows)
    return modal or bpy.context.mode != "OBJECT" or bpy.app.is_job_running("RENDER")


_session = TrainingSession()
register, unregister = _session.register, _session.unregister


def session() -> TrainingSession:
    return _session


register, unregister = _session.register, _session.unregister
