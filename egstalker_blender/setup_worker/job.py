"""The set-up as a job: it ends with a complete environment or with none. No bpy."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ...core.errors import OutputError
from ..jobs.command import Clock, OnLine, Place, Step
from ..jobs.job import DONE, Job
from .environment import (
    clear_unfinished,
    environments,
    fresh_folder,
    is_complete,
    mark_complete,
    pip_environment,
)
from .plan import python_of

_PACKAGE = re.compile(r"(Collecting|Downloading|Using cached) ([^\s<>=!~;\[(]+)(.*)")
_SIZE = re.compile(r"\(([\d.]+ [kMG]?B)\)")


class SetUp(Job):
    """Makes a new environment in `root`. earlier: those that were complete before."""

    def __init__(
        self,
        root: Path,
        log: Path,
        steps: Callable[[Path], Sequence[Step]],
        space: float = 0.0,
        details: Mapping[str, str] | None = None,
        clock: Clock = time.monotonic,
    ) -> None:
        """root: folder of environments; unfinished ones of earlier set-ups are removed from it.
        steps: the commands for an environment in that folder. space: bytes that must be free.
        details: for the marker. OutputError, EngineError."""
        clear_unfinished(root)
        free = shutil.disk_usage(root).free
        if free < space:
            raise OutputError(
                f"{root} has {free / 1e9:.1f} GB free, but {space / 1e9:.1f} GB are needed; "
                "make room and try again"
            )
        self.earlier = [folder for folder in environments(root) if is_complete(folder)]
        self.environment = fresh_folder(root)
        self._details = dict(details or {})
        place = Place(log, pip_environment(), merged=True)
        try:
            super().__init__(steps(self.environment), place, clock=clock)
        except BaseException:
            shutil.rmtree(self.environment, ignore_errors=True)
            raise

    @property
    def python(self) -> Path:
        return python_of(self.environment)

    def _begin(self, step: Step) -> OnLine:
        self._pip = PipOutput()
        return self._pip.on_line

    def _progress(self, step: Step) -> tuple[str, float]:
        if not self._pip.detail:
            return step.label, 0.0
        # pip does not report how much is left: each package takes a part of the rest.
        return f"{step.label}: {self._pip.detail}", 1 - 0.95**self._pip.packages

    def _kept(self, step: Step) -> str:
        return "nothing of the set-up is left"

    def _result(self, step: Step) -> str:
        mark_complete(self.environment, self._details)
        return f"{self.python} is ready"

    def _clean_up(self, kind: str) -> None:
        if kind != DONE:
            shutil.rmtree(self.environment, ignore_errors=True)


class PipOutput:
    """pip's output so far. detail: for a progress bar. packages: number that it has looked at."""

    def __init__(self) -> None:
        self.detail = ""
        self.packages = 0

    def on_line(self, line: bytes) -> bool:
        text = line.decode(errors="replace")
        self.packages += text.lstrip().startswith("Collecting")
        self.detail = detail_of(text) or self.detail
        return False  # all of it belongs in the log


def detail_of(line: str) -> str:
    """Text of a progress bar for a line of pip, empty if there is none."""
    text = line.strip()
    if text.startswith("Installing collected packages"):
        return "unpacking"
    match = _PACKAGE.match(text)
    if match is None:
        return ""
    name = match[2].rsplit("/", 1)[-1]
    if name.endswith((".whl", ".gz", ".metadata")):
        name = name.split("-", 1)[0]
    size = _SIZE.search(match[3])
    verb = "downloading" if match[1] == "Downloading" else "looking at"
    return f"{verb} {name} ({size[1]})" if size and match[1] == "Downloading" else f"{verb} {name}"
