"""Does a Python serve as a worker? Its hello is asked for, nothing else."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import EngineError, WorkerError
from ..worker.exchange import FOLDER_PREFIX
from ..worker.protocol import VERSION, Message, value
from .process import WorkerProcess, worker_environment

VERSION_LIMIT = 20.0  # seconds
LEAST_PYTHON = (3, 11)


@dataclass(frozen=True)
class WorkerReport:
    """python: its version. packages: name -> version of what is installed."""

    python: str
    backend: str
    device: str
    packages: Mapping[str, str]

    def lines(self) -> tuple[str, str]:
        packages = ", ".join(f"{name} {version}" for name, version in self.packages.items())
        return f"Python {self.python}: {self.backend} on {self.device}", packages


def python_version(python: Path, limit: float = VERSION_LIMIT) -> tuple[int, int, int]:
    """What the program itself says. WorkerError where it does not run, or is no Python."""
    command = [str(python), "-I", "-c", "import sys; print('%d.%d.%d' % sys.version_info[:3])"]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=limit,
            check=True,
            env=worker_environment(),
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        numbers = [int(part) for part in done.stdout.strip().split(".")]
        return numbers[0], numbers[1], numbers[2]
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        raise WorkerError(f"{python} does not run as Python; choose another") from None


def check_worker(
    python: Path, log: Path, backend: str = "auto", limit: float = 60.0
) -> WorkerReport:
    """Start a worker, hear its hello, end it. Blocks for at most `limit` seconds, and
    VERSION_LIMIT. WorkerError, or the error that the worker answers with, in one line."""
    version = python_version(python)
    shown = ".".join(map(str, version))
    if version < LEAST_PYTHON:
        least = ".".join(map(str, LEAST_PYTHON))
        raise WorkerError(f"{python} is Python {shown}; the worker needs {least} or later")
    folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX))
    try:
        process = WorkerProcess(python, folder, log, silence=limit)
        try:
            hello = _hello(process, folder, backend, limit)
        finally:
            process.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    packages = value(hello, "packages", dict)
    return WorkerReport(shown, value(hello, "backend", str), value(hello, "device", str), packages)


def _hello(process: WorkerProcess, folder: Path, backend: str, limit: float) -> Message:
    number = process.request("hello", version=VERSION, backend=backend, folder=str(folder))
    end = time.monotonic() + limit
    for message in process.replies(number):
        if message is not None:
            if message.get("version") != VERSION:
                raise EngineError(
                    f"the worker speaks protocol {message.get('version')}, this is {VERSION}; "
                    "update the older one"
                )
            return message
        if time.monotonic() > end:
            break
    raise WorkerError(f"no answer in {limit:.0f} s; the log is {process.log}")
