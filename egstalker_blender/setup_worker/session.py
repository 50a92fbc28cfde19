"""The one set-up and the one check of this Blender."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import bpy

from ...core.errors import EngineError
from .. import engines, preferences
from ..folders import user_folder
from ..jobs.command import Step
from ..jobs.job import DONE, State
from ..jobs.session import Session
from .check import Check
from .environment import remove_earlier
from .job import SetUp
from .plan import space_for, steps_for
from .pythons import find_base, find_base_for_videos

ROOT, LOG, CHECK_LOG = "worker", "setup.log", "check.log"

Plan = Callable[[Path], Sequence[Step]]


class WorkerSession(Session):
    """The state that the preferences show."""

    job: SetUp | None

    def reset(self) -> None:
        super().reset()
        self.check: Check | None = None

    @property
    def busy(self) -> bool:
        return self.running or (self.check is not None and self.check.running)

    def begin_check(self, python: Path) -> Check:
        self.check = Check(python, user_folder(ROOT) / CHECK_LOG, preferences.backend())
        return self.check

    def begin_set_up(
        self, choice: str, chosen: Path | None, plan: Plan | None = None, videos: bool = False
    ) -> None:
        """plan: the commands, None for those of `choice`. videos: with the packages that turn a
        video into a dataset. EgsError."""
        if self.running:
            raise EngineError("a set-up is running already; wait for it, or cancel it")
        commands = plan or _plan_of(choice, chosen, videos)
        space = 0.0 if plan else space_for(choice, videos)
        root = user_folder(ROOT)
        self.check = None
        self.start(SetUp(root, root / LOG, commands, space, {"choice": choice}))

    def on_end(self, job: SetUp, state: State) -> None:
        """Make the new environment the worker's, remove older ones, and check it."""
        if state.kind != DONE:
            return
        engines.close()  # its worker may run in an environment that is removed
        settings = preferences.get()
        if settings:
            settings.worker_python = str(job.python)
            bpy.context.preferences.is_dirty = True
        remove_earlier(job.earlier)
        self.begin_check(job.python)

    def wait(self, seconds: float) -> None:
        if self.running:
            super().wait(seconds)
        elif self.check is not None:
            self.check.wait(seconds)


def _plan_of(choice: str, chosen: Path | None, videos: bool) -> Plan:
    if not videos:
        base = find_base(chosen)
        return lambda folder: steps_for(choice, base, folder)
    base, packages = find_base_for_videos(chosen, preferences.video_models().complete)
    return lambda folder: steps_for(choice, base, folder, packages)


_session = WorkerSession()
register, unregister = _session.register, _session.unregister


def session() -> WorkerSession:
    return _session


register, unregister = _session.register, _session.unregister
