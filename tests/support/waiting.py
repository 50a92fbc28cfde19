"""Time in tests: a clock that the test advances, and waiting for other processes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

LIMIT = 300.0  # seconds, after which a test hangs; one that passes takes a fraction of it


class Clock:
    """Stands for time.monotonic; the time is the test's."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


def until(condition: Callable[[], object]) -> None:
    """Return when it holds: what another process or thread does cannot be turned like a clock."""
    end = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < end, "not within the time"
        time.sleep(0.005)


def alive(pid: int) -> bool:
    """Whether the process runs; one that only waits to be reaped does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


class Gate:
    """Where a process waits (by `gate.code`, or by opening the file for reading) until the test
    opens it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        os.mkfifo(path)

    @property
    def code(self) -> str:
        """A line of Python for the process."""
        return f"open({str(self.path)!r}).close()"

    def open(self) -> None:
        """Return when the process has come to the gate and goes on."""
        opened: list[int] = []

        def reached() -> bool:
            try:
                opened.append(os.open(self.path, os.O_WRONLY | os.O_NONBLOCK))
            except OSError:  # nobody reads yet
                return False
            return True

        until(reached)
        os.close(opened[0])
