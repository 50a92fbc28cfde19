"""Shared parts of the buttons Start, Stop, Show Log and Show Report of every kind of job."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
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


class ShowFile(JobOperator):
    """Opens a file in the program that the system has for it."""

    no_file = ""  # the reason while there is none

    @classmethod
    def path(cls) -> Path | None:
        raise NotImplementedError

    @classmethod
    def reason(cls, _context: Any) -> str:
        path = cls.path()
        return "" if path is not None and path.is_file() else cls.no_file

    def execute(self, _context: Any) -> set[str]:
        path = str(self.path())  # not None, see `reason`
        bpy.ops.wm.path_open(filepath=path)
        self.report({"INFO"}, path)  # type: ignore[attr-defined]
        return {"FINISHED"}


class ShowLog(ShowFile):
    @classmethod
    def path(cls) -> Path | None:
        job = cls.session().job
        return None if job is None else Path(job.log)
