"""One command as a process: its lines are read by a thread, its errors go to a log. No bpy.

Its output is a pipe, so that it ends by itself, at its next line, when Blender is killed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, cast

from ...core.errors import EngineError
from ...core.system.files import reason
from ..jobs.command import PATIENCE, end_family, last_lines, signal_family
from .news import News, folded, parse
from .plan import Step

MAX_LINE = 65536  # bytes; a longer line is passed over
ERROR = "error: "  # with which the command line begins its one line
DRAIN = 2.0  # seconds that last lines may take after the end


class Child:
    """Runs from construction on. EngineError where the command cannot be started."""

    def __init__(self, step: Step, log: Path, environment: Mapping[str, str], folder: Path) -> None:
        """log: takes stderr, and lines of stdout that are not JSON. folder: the current one."""
        self.news = News()
        self.heard = time.monotonic()  # when it last said something
        self._step = step
        self._log = log
        self._start = log.stat().st_size if log.exists() else 0
        self._ended: float | None = None
        try:
            # A stop that was asked of an earlier training does not hold for this one.
            if step.stop_file is not None:
                step.stop_file.unlink(missing_ok=True)
            with log.open("ab") as errors:
                self._popen = subprocess.Popen(
                    list(step.command),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    env=dict(environment),
                    cwd=folder,
                    start_new_session=True,  # so that its children can be ended with it
                    creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
                )
        except OSError as error:
            text = f"{step.command[0]} cannot be started: {error.filename}: {reason(error)}"
            raise EngineError(text) from None
        self._reader = threading.Thread(
            target=self._read, args=(cast(BinaryIO, self._popen.stdout),), daemon=True
        )
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._popen.pid

    def poll(self) -> int | None:
        """The exit code when all it said is read, None before."""
        code = self._popen.poll()
        if code is None:
            return None
        now = time.monotonic()
        self._ended = self._ended or now
        # A grandchild may hold the pipe open; it is not waited for.
        return None if self._reader.is_alive() and now - self._ended < DRAIN else code

    def ask(self) -> None:
        """Ask it to stop in good order; it goes on for a while. OSError where that fails."""
        if self._popen.poll() is not None:
            return
        if self._step.stop_file is not None:
            self._step.stop_file.touch()
        elif sys.platform != "win32":
            self._popen.send_signal(signal.SIGINT)
        else:  # there is no interrupt for one process; the command can be repeated
            self._popen.terminate()

    def end(self, patience: float = PATIENCE) -> None:
        """End it and what it started. May be called at any time."""
        if self._popen.poll() is None:
            end_family(self._popen, patience)
        elif self._reader.is_alive():  # a child of its own outlived it and holds the pipe
            signal_family(self._popen, "SIGKILL")
        self._reader.join(DRAIN)
        if self._step.stop_file is not None:
            with contextlib.suppress(OSError):
                self._step.stop_file.unlink(missing_ok=True)

    def wait(self, seconds: float) -> None:
        """Until it ended by itself, at most that long."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(seconds)

    def last_words(self) -> str:
        """What it says of its own failure: its one line, before or after a library's words."""
        lines = last_lines(self._log, self._start)
        own = [line for line in lines if line.startswith(ERROR)]
        return (own or lines or [""])[-1].removeprefix(ERROR)

    def _read(self, stream: BinaryIO) -> None:
        whole = True  # the next bytes begin a line
        with stream, contextlib.suppress(OSError, ValueError):
            while data := stream.readline(MAX_LINE):
                self.heard = time.monotonic()
                ends = data.endswith(b"\n")
                if whole and (ends or len(data) < MAX_LINE):
                    self._take(data)
                whole = ends

    def _take(self, line: bytes) -> None:
        event = parse(line)
        if event is not None:
            self.news = folded(self.news, event)
        elif line.strip():
            with contextlib.suppress(OSError), self._log.open("ab") as log:
                log.write(line)


def exit_text(code: int) -> str:
    """For a process that said nothing about its end."""
    if code < 0 and -code == getattr(signal, "SIGKILL", 9):
        return "it was killed from outside; a system does that when memory runs out"
    if code < 0:
        return f"it was ended by signal {-code}"
    return f"it ended with code {code}"


def child_environment(base: Mapping[str, str]) -> dict[str, str]:
    """base: the worker's. Lines come as they are written."""
    return {**base, "PYTHONUNBUFFERED": "1"}


def make_folder(folder: Path) -> None:
    """OSError."""
    folder.mkdir(parents=False, exist_ok=True)
    if not os.access(folder, os.W_OK):
        raise PermissionError(13, "it may not be written", str(folder))
