"""Shared parts of the buttons Start, Stop and Show Log of every kind of job."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bpy

from ...core.errors import EgsError
from ..reasoned import Reasoned
from .job import FAILED


class JobOperator(Reasoned):
    """Mixin of an operator of a kind of job."""

    session: Callable[[], Any]  # gives the Session of its kind of job


class Start(JobOperator):
    """Begins a job and lets Blender's timer poll it."""

    def begin(self, context: Any) -> None:
        """EgsError."""
        raise NotImplementedError

    def execute(self, context: Any) -> set[str]:
        try:
            self.begin(context)
        except EgsError as error:
            return self._failed(str(error))
        self.session().watch()
        fault = self.fault()
        return self._failed(fault) if fault else {"FINISHED"}

    def fault(self) -> str:
        """The reason of a failure at the start (without a window: of any failure), else empty."""
        state = self.session().state
        return state.text if state is not None and state.kind == FAILED else ""

    def _failed(self, text: str) -> set[str]:
        self.report({"ERROR"}, text)  # type: ignore[attr-defined]
        return {"CANCELLED"}


class Stop(JobOperator):
    nothing_runs = ""  # the reason while no such job runs

    @classmethod
    def reason(cls, _context: Any) -> str:
        return "" if cls.session().running else cls.nothing_runs

    def execute(self, _context: Any) -> set[str]:
        self.session().stop()
        return {"FINISHED"}


class ShowLog(JobOperator):
    no_log = ""  # the reason while there is no log

    @classmethod
    def reason(cls, _context: Any) -> str:
        job = cls.session().job
        return "" if job is not None and job.log.is_file() else cls.no_log

    def execute(self, _context: Any) -> set[str]:
        job: Any = self.session().job  # not None, see `reason`
        log = str(job.log)
        bpy.ops.wm.path_open(filepath=log)
        self.report({"INFO"}, log)  # type: ignore[attr-defined]
        return {"FINISHED"}
