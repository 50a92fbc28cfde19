"""A command in a process of its own: polled, never waited for, ended with all that it started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from ...core.errors import EngineError
from ...core.system.files import reason

PATIENCE = 3.0  # seconds that a command has to leave when asked to
TAIL = 8192  # bytes of output that are looked at for the last line


class Task:
    """Runs from construction on. stdout and stderr go to the end of `log`. EngineError where the
    command cannot be started."""

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        limit: float,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> None:
        """limit: seconds, after which `poll` ends it."""
        self.log = log
        self.started = time.monotonic()
        self._limit = limit
        self._start = log.stat().st_size if log.exists() else 0
        self._read = self._start
        self.late = False
        try:
            with log.open("ab") as output:
                self._popen = _start(command, output, environment, folder)
        except OSError as error:
            raise EngineError(f"{command[0]} cannot be started: {reason(error)}") from None

    @property
    def pid(self) -> int:
        return self._popen.pid

    def poll(self) -> int | None:
        """The exit code, None while it runs."""
        if self._popen.poll() is None and time.monotonic() - self.started > self._limit:
            self.late = True
            self.kill()
        return self._popen.poll()

    def new_lines(self) -> list[str]:
        """What it wrote since the last call, whole lines only."""
        try:
            with self.log.open("rb") as file:
                file.seek(self._read)
                data = file.read()
        except OSError:
            return []
        end = data.rfind(b"\n") + 1
        self._read += end
        return data[:end].decode(errors="replace").splitlines()

    def last_line(self) -> str:
        """The last line that says something, for a message to the user."""
        return next(reversed(last_lines(self.log, self._start)), "")

    def kill(self) -> None:
        """End it and what it started. May be called at any time."""
        if self._popen.poll() is not None:
            return
        end_family(self._popen)


def last_lines(log: Path, start: int = 0) -> list[str]:
    """The lines of the log's end, at or after byte `start`, that say something."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(start, size - TAIL))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return []
    return [line.strip() for line in lines if line.strip()]


def end_family(popen: subprocess.Popen[bytes], patience: float = PATIENCE) -> None:
    """End a process that leads a session of its own, and all in that session. patience: seconds
    between asking and killing."""
    signal_family(popen, "SIGTERM")
    try:
        popen.wait(patience)
    except subprocess.TimeoutExpired:
        signal_family(popen, "SIGKILL")
        popen.wait()


def _start(
    command: Sequence[str],
    output: BinaryIO,
    environment: Mapping[str, str] | None,
    folder: Path | None,
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        list(command),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        env=dict(environment) if environment is not None else None,
        cwd=folder,
        start_new_session=True,  # so that its children can be ended with it
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )


def signal_family(popen: subprocess.Popen[bytes], name: str) -> None:
    """That signal to all in the process's session; on Windows the process itself is ended."""
    if sys.platform == "win32":
        popen.kill()
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(popen.pid, getattr(signal, name))
