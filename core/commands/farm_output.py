"""Output that render farms read: progress, finished files and the reason of a failure.

Everything else is text on stderr, as without a farm.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .console import Console, print_line


class OpenJdConsole(Console):
    """The lines of Open Job Description: `openjd_progress: PERCENT`, `openjd_status: TEXT`,
    `openjd_fail: TEXT` on stdout."""

    def __init__(self) -> None:
        super().__init__(as_json=False)

    def start(self, what: str, text: str = "", /, **fields: Any) -> None:
        super().start(what, text, **fields)
        print_line(f"openjd_status: {_one_line(text or what)}")

    def progress(self, what: str, done: int, total: int, text: str = "", /, **fields: Any) -> None:
        super().progress(what, done, total, text, **fields)
        if what == "frames" and total:
            print_line(f"openjd_progress: {100 * done / total:.1f}")

    def failed(self, message: str, code: int, result: str = "", /, **fields: Any) -> None:
        super().failed(message, code, result, **fields)
        self._fail(message)

    def stopped(self, message: str = "stopped") -> None:
        super().stopped(message)
        self._fail(message)

    def _fail(self, message: str) -> None:
        with contextlib.suppress(BrokenPipeError):  # the exit code says it too
            print_line(f"openjd_fail: {_one_line(message)}")


class FlamencoConsole(Console):
    """The lines that Flamenco's worker reads from a Blender that renders, on stdout. For a frame
    `Saved: 'PATH'`, the picture to show, and `Time: MM:SS.CC`, one step of the task's progress; for
    one that was finished before `skipping existing frame`, a step, too."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """clock: seconds."""
        super().__init__(as_json=False)
        self._frame_clock = clock
        self._last = clock()
        self._steps = 0

    def start(self, what: str, text: str = "", /, **fields: Any) -> None:
        super().start(what, text, **fields)
        self._last = self._frame_clock()

    def progress(self, what: str, done: int, total: int, text: str = "", /, **fields: Any) -> None:
        super().progress(what, done, total, text, **fields)
        path = fields.get("path")
        if what != "frames" or not isinstance(path, Path | str):
            return
        self._skip(done - 1)
        self._steps = done
        now = self._frame_clock()
        minutes, seconds = divmod(max(0.0, now - self._last), 60)
        self._last = now
        print_line(f"Saved: '{path}'\nTime: {int(minutes):02d}:{seconds:05.2f}")

    def done(self, result: str, /, **fields: Any) -> None:
        self._skip(int(fields.get("frames") or 0) if "seconds" in fields else 0)
        super().done(result, **fields)

    def _skip(self, done: int) -> None:
        """Steps up to `done` that no progress has reported."""
        for _ in range(self._steps, done):
            print_line("skipping existing frame")
        self._steps = max(self._steps, done)


def _one_line(text: str) -> str:
    return " ".join(text.split())


# --progress -> the console that writes it.
FORMS: Mapping[str, Callable[[], Console]] = {
    "text": lambda: Console(as_json=False),
    "json": lambda: Console(as_json=True),
    "openjd": OpenJdConsole,
    "flamenco": FlamencoConsole,
}
