"""The log of a preparation: one readable line for every step, note and, in between, progress."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from ..errors import OutputError
from ..system.files import reason
from ..system.pace import Pace, count_text, time_text

LOG = "prepare.log"
EVERY = 10.0  # seconds between two lines of the same step


class Log:
    """Lines are added at the end of the file, at once. An interrupted run leaves a step without a
    line of its end."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        """clock: seconds since 1970."""
        self._path = path
        self._clock = clock
        self._description = self._step = ""
        self._began = self._last = 0.0
        self._pace: Pace | None = None

    def describe(self, run: str) -> None:
        """The line that is written before the first step, if any step has to run."""
        self._description = run

    def begin(self, step: str) -> None:
        if self._description:
            self._write(self._description)
            self._description = ""
        self._step, self._pace = step, None
        self._began = self._last = self._clock()
        self._write(f"{step} begins")

    def progress(self, done: int, total: int) -> None:
        """Of the step that has begun. total: 0 if unknown."""
        now = self._clock()
        if self._pace is None:
            self._pace = Pace(done, now)
        elif now - self._last >= EVERY:
            self._last = now
            left = self._pace.remaining(done, total, now)
            self._write(f"{self._step} {count_text(done, total, left)}")

    def note(self, text: str) -> None:
        self._write(f"note: {text}")

    def end(self) -> None:
        self._write(f"{self._step} took {time_text(self._clock() - self._began)}")
        self._step = ""

    def fail(self, message: str) -> None:
        """The step that runs ends like this."""
        if self._step:
            self._write(f"{self._step} ends: {message}")

    def _write(self, text: str) -> None:
        """OutputError if that fails."""
        now = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self._clock()))
        try:
            with self._path.open("a", encoding="utf-8", errors="backslashreplace") as file:
                file.write(f"{now}  {text}\n")
        except OSError as error:
            raise OutputError(f"{self._path} cannot be written: {reason(error)}") from None
