"""The one training of this Blender: undo and other files leave it alone, it ends with Blender."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bpy

from ...core.errors import EngineError
from ..exit import Leaving
from . import picture
from .job import DONE, Job, State
from .plan import Settings, Step, steps_for
from .probe import Probe

TICK = 0.25  # seconds between two looks
AREAS = {"VIEW_3D"}


class Session:
    """What the panel shows. `tick` is all that drives it, in the window and in tests."""

    def __init__(self) -> None:
        self.job: Job | None = None
        self.state: State | None = None
        self.settings: Settings | None = None
        self.probe = Probe()
        self.result: Path | None = None  # a finished avatar that is not imported yet
        self.fault = ""  # why it could not be imported
        self._scene = 0  # where the result is wanted, 0 for nowhere

    @property
    def running(self) -> bool:
        return self.state is not None and self.state.alive

    def begin(
        self, settings: Settings, wanted_in: Any = None, steps: Sequence[Step] | None = None
    ) -> None:
        """wanted_in: the scene that the result is imported into, None for none. steps: None for
        those of `settings`. EgsError."""
        if self.running:
            raise EngineError("a training runs already; wait for it, or stop it")
        self.job = Job(steps_for(settings) if steps is None else steps, settings.work)
        self.settings, self.result, self.fault = settings, None, ""
        self._scene = wanted_in.session_uid if wanted_in is not None else 0
        self.state = self.job.poll()

    def tick(self) -> bool:
        """Go on; False when there is nothing more to look at."""
        if self.job is not None and self.running:
            self.state = self.job.poll()
            if self.state.kind == DONE and self.settings is not None:
                self.result = self.settings.output
        return self.running or self.probe.busy or self.wants_import

    @property
    def wants_import(self) -> bool:
        """The result is there, and the scene that it is for is the one at hand."""
        scene = bpy.context.scene
        return self.result is not None and scene is not None and scene.session_uid == self._scene

    def try_import(self) -> None:
        """Import the result where that disturbs nothing; until then it waits."""
        if self.result is None or not self.wants_import or _hands_full():
            return
        self._scene = 0  # once; afterwards it is the button's
        windows = bpy.context.window_manager.windows
        try:
            if windows:  # a timer has no window of its own, and undo must know of the object
                with bpy.context.temp_override(window=windows[0]):
                    bpy.ops.egstalker.train_import("EXEC_DEFAULT", True)
            else:
                bpy.ops.egstalker.train_import()
        except RuntimeError as error:
            self.fault = " ".join(str(error).removeprefix("Error: ").split())

    def stop(self) -> None:
        if self.job is not None:
            self.job.stop()
            self.state = self.job.poll()

    def close(self) -> None:
        """Nothing runs on. May be called at any time."""
        if self.job is not None and self.running:
            self.job.close()
            self.state = self.job.poll()

    def run(self) -> None:
        """To the end, waiting: for scripts and for Blender without a window."""
        while self.running and self.tick():
            time.sleep(TICK)
        self.try_import()


def _hands_full() -> bool:
    """The user edits, sculpts, drags or renders: an object must not come up now."""
    manager = bpy.context.window_manager
    modal = any(len(window.modal_operators) for window in manager.windows)
    return modal or bpy.context.mode != "OBJECT" or bpy.app.is_job_running("RENDER")


_session = Session()


def session() -> Session:
    return _session


def watch() -> None:
    """Let Blender's timer drive the session; without a window there is none, so wait."""
    if bpy.app.background:
        _session.run()
    else:
        wake()


def wake() -> None:
    """The same, and no waiting: a panel may call it."""
    if not bpy.app.background and not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=TICK, persistent=True)


def _tick() -> float | None:
    more = _session.tick()
    if _session.state is not None:
        picture.show(_session.state.news.preview)
    _session.try_import()
    _redraw()
    return TICK if more else None


def _redraw() -> None:
    """The sidebars alone: the views beside them are not to be drawn again for a clock."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in AREAS:
                for region in area.regions:
                    if region.type == "UI":
                        region.tag_redraw()


def _close() -> None:
    _session.close()


_leaving = Leaving(_close)


def register() -> None:
    _leaving.register()


def unregister() -> None:
    global _session
    _leaving.unregister()
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    _session.close()
    picture.clear()
    _session = Session()
