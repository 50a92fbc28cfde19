"""The one set-up and the one check of this Blender. A timer looks at them and redraws."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import bpy

from ...core.engine.process import WorkerReport, check_worker
from ...core.errors import EgsError, EngineError
from .. import engines, preferences
from ..exit import Leaving
from ..folders import user_folder
from .job import SetUp, State, remove_others
from .plan import PREPARE_NEWEST, Step, space_for, steps_for
from .pythons import NEWEST, find_base

TICK = 0.2  # seconds between two looks
CHECK_LIMIT = 60.0  # seconds
ROOT, LOG, CHECK_LOG = "worker", "setup.log", "check.log"

Plan = Callable[[Path], Sequence[Step]]


class Check:
    """Asks a Python for its hello, in a thread that never touches Blender."""

    def __init__(
        self,
        python: Path,
        log: Path,
        backend: str = "auto",
        limit: float = CHECK_LIMIT,
        ask: Callable[..., WorkerReport] = check_worker,
    ) -> None:
        self.python = python
        self.report: WorkerReport | None = None
        self.fault = ""
        self._arguments = (python, log, backend, limit)
        self._ask = ask
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    def wait(self) -> None:
        self._thread.join()

    def _run(self) -> None:
        try:
            self.report = self._ask(*self._arguments)
        except EgsError as error:
            self.fault = str(error)
        except OSError as error:
            self.fault = f"{self.python} cannot be checked: {error.strerror or error}"


class Session:
    """What the preferences show. `tick` is all that drives it, in the window and in tests."""

    def __init__(self) -> None:
        self.job: SetUp | None = None
        self.state: State | None = None
        self.check: Check | None = None

    @property
    def setting_up(self) -> bool:
        return self.state is not None and self.state.kind == "running"

    @property
    def busy(self) -> bool:
        return self.setting_up or (self.check is not None and self.check.running)

    def begin_check(self, python: Path) -> Check:
        log = user_folder(ROOT) / CHECK_LOG
        self.check = Check(python, log, preferences.backend())
        return self.check

    def begin_set_up(
        self, choice: str, chosen: Path | None, plan: Plan | None = None, videos: bool = False
    ) -> None:
        """plan: the commands, None for those of `choice`. videos: as in plan.py. EgsError."""
        if self.setting_up:
            raise EngineError("a set-up is running already; wait for it, or cancel it")
        if plan is None:
            base = find_base(chosen, PREPARE_NEWEST if videos else NEWEST)
            space = space_for(choice, videos)
            self._begin(choice, lambda folder: steps_for(choice, base, folder, videos), space)
        else:
            self._begin(choice, plan, 0.0)

    def _begin(self, choice: str, plan: Plan, space: float) -> None:
        root = user_folder(ROOT)
        self.job = SetUp(root, root / LOG, plan, space, {"choice": choice})
        self.check = None
        self.state = self.job.poll()

    def tick(self) -> bool:
        """Go on; False when there is nothing more to look at."""
        if self.job is not None and self.setting_up:
            self.state = self.job.poll()
            if self.state.kind == "done":
                self._adopt(self.job)
        return self.busy

    def _adopt(self, job: SetUp) -> None:
        """The new environment becomes the worker's, older ones go, and it is checked."""
        engines.close()  # its worker may run from an environment that goes
        settings = preferences.get()
        if settings:
            settings.worker_python = str(job.python)
            bpy.context.preferences.is_dirty = True
        remove_others(job.environment.parent, job.environment)
        self.begin_check(job.python)

    def cancel(self) -> None:
        if self.job is not None:
            self.job.cancel()
            self.state = self.job.poll()

    def run(self) -> None:
        """To the end, waiting: for scripts and for Blender without a window."""
        while self.tick():
            time.sleep(TICK)


_session = Session()


def session() -> Session:
    return _session


def watch() -> None:
    """Let Blender's timer drive the session; without a window there is none, so wait."""
    if bpy.app.background:
        _session.run()
    elif not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=TICK, persistent=True)


def _tick() -> float | None:
    more = _session.tick()
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in {"PREFERENCES", "PROPERTIES", "VIEW_3D"}:
                area.tag_redraw()
    return TICK if more else None


def _cancel() -> None:
    _session.cancel()


_leaving = Leaving(_cancel)


def register() -> None:
    _leaving.register()


def unregister() -> None:
    _leaving.unregister()
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    _cancel()
    _session.job = _session.state = _session.check = None
