"""A set-up as it runs: commands one after another, polled; half an environment never stays."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...core.errors import EgsError, OutputError
from ...core.system.files import reason, write_atomic
from ..jobs.command import Task
from .plan import Step, python_of

MARKER = "egstalker_worker.json"  # written last: an environment without it is not complete
PREFIX = "environment"
ABANDONED = 3 * 3600.0  # seconds, more than the limits of all steps together
_PACKAGE = re.compile(r"(Collecting|Downloading|Using cached) ([^\s<>=!~;\[(]+)(.*)")
_SIZE = re.compile(r"\(([\d.]+ [kMG]?B)\)")


@dataclass(frozen=True)
class State:
    """running, done, failed or cancelled. factor: 0..1 of the whole. text: what happens, or why it
    ended. seconds: since the start."""

    kind: str
    factor: float
    text: str
    seconds: float


class SetUp:
    """Makes a new environment in `root`. Call `poll` until it no longer says running. No bpy."""

    def __init__(
        self,
        root: Path,
        log: Path,
        steps: Callable[[Path], Sequence[Step]],
        space: float = 0.0,
        details: Mapping[str, str] | None = None,
    ) -> None:
        """root: folder of environments; what earlier set-ups left unfinished in it is removed.
        steps: the commands for an environment in that folder. space: bytes that must be free.
        details: for the marker. OutputError."""
        clear_unfinished(root)
        free = shutil.disk_usage(root).free
        if free < space:
            raise OutputError(
                f"{root} has {free / 1e9:.1f} GB free, {space / 1e9:.1f} GB are needed; "
                "make room and try again"
            )
        self.environment = fresh_folder(root)
        self.log = log
        self._details = dict(details or {})
        self._waiting = list(steps(self.environment))
        self._done = 0.0
        self._packages = 0
        self._detail = ""
        self._task: Task | None = None
        self._started = time.monotonic()
        self._end: State | None = None
        with contextlib.suppress(OSError):
            log.unlink(missing_ok=True)

    @property
    def python(self) -> Path:
        return python_of(self.environment)

    def poll(self) -> State:
        """Never blocks for long: looks at the process, starts the next one."""
        if self._end is not None:
            return self._end
        try:
            self._advance()
        except (EgsError, OSError) as error:
            self._finish("failed", str(error) if isinstance(error, EgsError) else reason(error))
        return self._end or self._running()

    def cancel(self) -> None:
        """Stop and remove what was made. May be called at any time."""
        if self._end is None:
            self._finish("cancelled", "Set-up stopped; nothing is left of it")

    def _advance(self) -> None:
        if self._task is None:
            self._task = Task(
                self._waiting[0].command, self.log, self._waiting[0].limit, pip_environment()
            )
            return
        self._listen(self._task)
        code = self._task.poll()
        if code is None:
            return
        step = self._waiting[0]
        if code != 0:
            late = f"took more than {step.limit / 60:.0f} minutes" if self._task.late else ""
            line = late or self._task.last_line() or f"ended with code {code}"
            self._finish("failed", f"{step.label}: {line}")
            return
        self._done += step.share
        self._waiting.pop(0)
        self._task, self._detail = None, ""
        if not self._waiting:
            content = json.dumps({**self._details, "complete": True}).encode()
            write_atomic(self.environment / MARKER, [content])
            self._finish("done", f"{self.python} is ready")

    def _listen(self, task: Task) -> None:
        for line in task.new_lines():
            detail = detail_of(line)
            if detail:
                self._packages += line.lstrip().startswith("Collecting")
                self._detail = detail

    def _running(self) -> State:
        step = self._waiting[0]
        text = f"{step.label}: {self._detail}" if self._detail else step.label
        # pip does not say how much is to come: each package halves a part of what is left.
        inside = 1 - 0.95**self._packages if self._detail else 0.0
        return State("running", min(1.0, self._done + step.share * inside), text, self._seconds())

    def _finish(self, kind: str, text: str) -> None:
        if self._task is not None:
            self._task.kill()
            self._task = None
        if kind != "done":
            shutil.rmtree(self.environment, ignore_errors=True)
        factor = 1.0 if kind == "done" else 0.0
        self._end = State(kind, factor, " ".join(text.split()), self._seconds())

    def _seconds(self) -> float:
        return time.monotonic() - self._started


def detail_of(line: str) -> str:
    """What one line of pip says for a progress bar, empty where nothing."""
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


def is_complete(environment: Path) -> bool:
    return (environment / MARKER).is_file()


def environments(root: Path) -> list[Path]:
    return sorted(path for path in root.glob(f"{PREFIX}_*") if path.is_dir())


def clear_unfinished(root: Path) -> None:
    """Remove what a Blender that was killed left behind; another that runs may still be at it."""
    for folder in environments(root):
        with contextlib.suppress(OSError):  # gone meanwhile
            if not is_complete(folder) and time.time() - folder.stat().st_mtime > ABANDONED:
                shutil.rmtree(folder, ignore_errors=True)


def remove_others(root: Path, kept: Path) -> None:
    for folder in environments(root):
        if folder != kept:
            shutil.rmtree(folder, ignore_errors=True)


def fresh_folder(root: Path) -> Path:
    """A name for a new environment: one that works stays until the new one does."""
    number = 1
    while (root / f"{PREFIX}_{number}").exists():
        number += 1
    return root / f"{PREFIX}_{number}"


def pip_environment() -> dict[str, str]:
    """The user's, without what Blender's Python set for itself, and with output as it comes."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    return {**kept, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8:backslashreplace"}
