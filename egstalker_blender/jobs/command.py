"""One command as a process: a thread reads its output; it ends with its children. No bpy.

The command writes to a pipe, so it ends by itself at its next line if Blender is killed.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from ...core.errors import EngineError
from ...core.system.files import reason

Clock = Callable[[], float]  # seconds, as time.monotonic
OnLine = Callable[[bytes], bool]

PATIENCE = 3.0  # seconds between asking a process to terminate and killing it
DRAIN = 2.0  # seconds after the end of a process in which its last lines are still read
MAX_LINE = 65536  # bytes; a longer line is skipped
TAIL = 8192  # bytes at the end of the log that are searched for a message
ERROR = "error: "  # how the command line begins its one line about a failure


@dataclass(frozen=True)
class Step:
    """One command of a job. limit: seconds after which it is ended. share: of the job's progress
    bar, all steps together 1. stop_file: the file by which the command is asked to stop; None: an
    interrupt does that. result: a file that exists when the command has succeeded."""

    label: str
    command: tuple[str, ...]
    limit: float = math.inf
    share: float = 1.0
    stop_file: Path | None = None
    result: Path | None = None


@dataclass(frozen=True)
class Place:
    """Log, variables and folder of a job's commands. log: the file that output is appended to.
    folder: their current folder, None for Blender's. merged: stderr is read with stdout, in the
    order of writing; otherwise it goes to the log directly."""

    log: Path
    environment: Mapping[str, str]
    folder: Path | None = None
    merged: bool = False


def to_log(_line: bytes) -> bool:
    """Handles a line of a command whose whole output belongs in the log."""
    return False


class Command:
    """Runs from construction on. EngineError if it cannot be started."""

    def __init__(
        self, step: Step, place: Place, on_line: OnLine = to_log, clock: Clock = time.monotonic
    ) -> None:
        """on_line: called with each line of output in a thread of its own; True keeps the line out
        of the log."""
        self.late = False  # True if it was ended because it reached its limit
        self._step, self._log, self._on_line, self._clock = step, place.log, on_line, clock
        self._log_start = place.log.stat().st_size if place.log.exists() else 0
        self._started = self.last_output = clock()
        self._ended: float | None = None
        try:
            self._remove_stop_file()  # an earlier command's request must not stop this one
            with place.log.open("ab") as errors:
                self._popen = _start(step, place, errors)
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            text = f"{step.command[0]} cannot be started: {where}{reason(error)}"
            raise EngineError(text) from None
        self._reader = threading.Thread(
            target=self._read, args=(cast(BinaryIO, self._popen.stdout),), daemon=True
        )
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._popen.pid

    def poll(self) -> int | None:
        """The exit code once all output is read; None before."""
        now = self._clock()
        code = self._popen.poll()
        if code is None:
            if now - self._started > self._step.limit:
                self.late = True
                self.end()
            return self._popen.poll()
        self._ended = self._ended if self._ended is not None else now
        # A child of the command may keep the pipe open; nobody waits for that one.
        return None if self._reader.is_alive() and now - self._ended < DRAIN else code

    def ask(self) -> None:
        """Ask it to stop; it runs on until it has saved its work. OSError."""
        if self._popen.poll() is not None:
            return
        if self._step.stop_file is not None:
            self._step.stop_file.touch()
        elif sys.platform == "win32":  # no interrupt reaches a process without a console
            self._popen.terminate()
        else:
            self._popen.send_signal(signal.SIGINT)

    def end(self) -> None:
        """End it and its children. May be called at any time."""
        if self._popen.poll() is None:
            _signal_family(self._popen, "SIGTERM")
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._popen.wait(PATIENCE)
        if self._popen.poll() is None or self._reader.is_alive():  # or a child keeps the pipe open
            _signal_family(self._popen, "SIGKILL")
        self._popen.wait()
        self._reader.join(DRAIN)
        with contextlib.suppress(OSError):
            self._remove_stop_file()

    def wait(self, seconds: float) -> None:
        """Return when it has ended and its output is read, or after that time."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(seconds)
            self._reader.join(seconds)

    def error_line(self) -> str:
        """The command's own line about its failure, empty if there is none."""
        own = [line for line in self._last_lines() if line.startswith(ERROR)]
        return own[-1].removeprefix(ERROR) if own else ""

    def last_line(self) -> str:
        """The last line of its output that is not blank, empty if there is none."""
        return next(reversed(self._last_lines()), "")

    def _last_lines(self) -> list[str]:
        try:
            with self._log.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(self._log_start, size - TAIL))
                lines = file.read().decode(errors="replace").splitlines()
        except OSError:
            return []
        return [line.strip() for line in lines if line.strip()]

    def _remove_stop_file(self) -> None:
        if self._step.stop_file is not None:
            self._step.stop_file.unlink(missing_ok=True)

    def _read(self, stream: BinaryIO) -> None:
        whole = True  # the next bytes begin a line
        with stream, contextlib.suppress(OSError, ValueError):
            while data := stream.readline(MAX_LINE):
                self.last_output = self._clock()
                ends = data.endswith(b"\n")
                if whole and (ends or len(data) < MAX_LINE) and not self._on_line(data):
                    self._append(data)
                whole = ends

    def _append(self, line: bytes) -> None:
        if line.strip():
            with contextlib.suppress(OSError), self._log.open("ab") as log:
                log.write(line)


def exit_text(code: int) -> str:
    """A sentence for a process that wrote no reason for its end."""
    if code < 0 and -code == getattr(signal, "SIGKILL", 9):
        return "it was killed from outside; a system does that when memory runs out"
    if code < 0:
        return f"it was ended by signal {-code}"
    return f"it ended with code {code}"


def _start(step: Step, place: Place, errors: BinaryIO) -> subprocess.Popen[bytes]:
    with _default_interrupt():
        return subprocess.Popen(
            list(step.command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if place.merged else errors,
            env=dict(place.environment),
            cwd=place.folder,
            start_new_session=True,  # so that its children can be ended with it
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )


@contextlib.contextmanager
def _default_interrupt() -> Iterator[None]:
    """A process that starts inside can be interrupted, even if Blender ignores interrupts, as in a
    shell's background. A child inherits ignored signals, but gets the default in place of a
    handler. So Blender has a handler that does nothing while the child starts."""
    ignored = signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    if not ignored or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGINT, lambda *_: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _signal_family(popen: subprocess.Popen[bytes], name: str) -> None:
    """Send that signal to all processes in the session of this one. On Windows, which has no
    signals, the process and its children are killed."""
    if sys.platform == "win32":
        kill = ["taskkill", "/F", "/T", "/PID", str(popen.pid)]
        hidden = getattr(subprocess, "CREATE_NO_WINDOW", 0)
        with contextlib.suppress(OSError):
            subprocess.run(
                kill, env=os.environ, capture_output=True, check=False, creationflags=hidden
            )
        popen.kill()
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(popen.pid, getattr(signal, name))
