"""The worker as a process: start it, exchange messages, detect its death or silence, end it."""

from __future__ import annotations

import contextlib
import itertools
import os
import queue
import subprocess
import threading
import time
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from ..errors import EgsError, EngineError, WorkerError
from ..system.files import reason
from ..system.leftovers import temporary_folder
from ..worker.protocol import VERSION, Message, encode, error_from, read_message, value

TICK = 0.05  # seconds between two checks for a reply
LOG_BYTES = 1_000_000  # a longer log is renamed to .1 when a worker starts
VERSION_LIMIT = 20.0  # seconds for an interpreter to answer with its version
LEAST_PYTHON = (3, 11)
ROOT = Path(__file__).resolve().parents[2]  # the folder that holds `core`


class WorkerProcess:
    """One run of a worker. Its own thread queues replies by request id."""

    def __init__(self, python: Path, folder: Path, log: Path, silence: float) -> None:
        """folder: private, for tensors. log: where the worker's stderr goes. silence: seconds
        without a message after which it counts as dead. Raises WorkerError."""
        self.python, self.log = python, log
        self._silence = silence
        self._numbers = itertools.count(1)
        self._replies: dict[int, queue.SimpleQueue[Message]] = {}
        self._guard = threading.Lock()
        self._fault = ""
        self._last_message = time.monotonic()
        try:
            with _open_log(log) as errors:
                self._popen = subprocess.Popen(
                    [str(python), "-m", "core.worker"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    cwd=folder,
                    env=worker_environment(),
                    creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
                )
        except OSError as error:
            raise WorkerError(
                f"worker {python} cannot start: {error.filename or folder}: {reason(error)}"
            ) from error
        self._pipe = cast(BinaryIO, self._popen.stdin)
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def pid(self) -> int:
        return self._popen.pid

    def request(self, kind: str, **fields: object) -> int:
        """Send a request; returns the number that its replies carry."""
        with self._guard:
            number = next(self._numbers)
            self._replies[number] = queue.SimpleQueue()
        self._send({"type": kind, "id": number, **fields})
        return number

    def cancel(self, number: int) -> None:
        """Ask it to stop that request; its last reply confirms it."""
        self._send({"type": "cancel", "id": 0, "target": number})

    def _send(self, message: Message) -> None:
        data = encode(message)
        with self._guard:
            try:
                self._pipe.write(data)
                self._pipe.flush()
            except (OSError, ValueError):
                self._fault = self._fault or "it closed its pipe"

    def replies(self, number: int) -> Generator[Message | None, None, Message]:
        """The replies to a request as they come, None whenever none came for TICK seconds. The last
        one is yielded and returned. Raises what the worker raised; WorkerError if it died or is
        silent."""
        inbox = self._replies[number]
        try:
            while True:
                try:
                    message = inbox.get(timeout=TICK)
                except queue.Empty:
                    if inbox.empty() or not self._fault:  # replies sent before it died count
                        self.check()
                    yield None
                    continue
                if message["type"] == "error":
                    raise error_from(message)
                yield message
                if message["type"] != "progress":
                    return message
        finally:
            del self._replies[number]

    def check(self) -> None:
        """Raises WorkerError if the worker is dead; kills it first if it is silent."""
        quiet = time.monotonic() - self._last_message
        if not self._fault and quiet > self._silence:
            self._fault = f"it was silent for {quiet:.0f} s"
            self.kill()
        if self._fault:
            raise WorkerError(f"the worker stopped: {self._fault}; its log is {self.log}")

    @property
    def alive(self) -> bool:
        return not self._fault

    def close(self, patience: float = 2.0) -> None:
        """Ask it to exit, then kill it."""
        if self._popen.poll() is None:
            self._send({"type": "shutdown", "id": 0})
        self._close_pipe()
        for urge in (self._popen.terminate, self._popen.kill):
            try:
                self._popen.wait(patience)
                break
            except subprocess.TimeoutExpired:
                urge()
        self._popen.wait()
        self._fault = self._fault or "it was closed"

    def kill(self) -> None:
        self._popen.kill()
        self._popen.wait()
        self._close_pipe()

    def _close_pipe(self) -> None:
        with self._guard, contextlib.suppress(OSError):
            self._pipe.close()

    def _listen(self) -> None:
        fault = ""
        with cast(BinaryIO, self._popen.stdout) as stream:
            try:
                while (message := read_message(stream)) is not None:
                    self._last_message = time.monotonic()
                    self._route(message)
            except (EgsError, OSError, ValueError) as error:
                fault = " ".join(str(error).split())
                self._popen.kill()
        code = self._popen.wait()
        self._fault = self._fault or fault or f"it ended with code {code}"

    def _route(self, message: Message) -> None:
        if message["type"] == "heartbeat":
            return
        number = value(message, "id", int)
        inbox = self._replies.get(number)
        if inbox is not None:
            inbox.put(message)
        elif message["type"] == "error" and number == 0:
            raise error_from(message)


def greet(process: WorkerProcess, backend: str, folder: Path, limit: float) -> Message:
    """The worker's hello. WorkerError if it gives none within `limit` seconds, cannot serve, or
    speaks another protocol; MissingPackageError if the backend is not installed."""
    number = process.request("hello", version=VERSION, backend=backend, folder=str(folder))
    end = time.monotonic() + limit
    try:
        for message in process.replies(number):
            if message is not None:
                if message.get("version") != VERSION:
                    raise WorkerError(
                        f"worker {process.python} speaks protocol {message.get('version')}, this "
                        f"is {VERSION}; update the older one"
                    )
                return message
            if time.monotonic() > end:
                break
    except WorkerError:
        raise
    except EngineError as error:
        raise WorkerError(f"worker {process.python} cannot serve: {error}") from error
    raise WorkerError(
        f"worker {process.python} gave no answer in {limit:g} s; its log is {process.log}"
    )


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
    """The version that the program itself reports. WorkerError if it does not run, or is not
    Python."""
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
    """Start a worker, read its hello, end it. Blocks for at most `limit` seconds, and
    VERSION_LIMIT. WorkerError, or the error that the worker answers with, in one line."""
    version = python_version(python)
    shown = ".".join(map(str, version))
    if version < LEAST_PYTHON:
        least = ".".join(map(str, LEAST_PYTHON))
        raise WorkerError(f"{python} is Python {shown}; the worker needs {least} or later")
    with temporary_folder() as folder:
        process = WorkerProcess(python, Path(folder), log, silence=limit)
        try:
            hello = greet(process, backend, Path(folder), limit)
        finally:
            process.close()
    packages = value(hello, "packages", dict)
    return WorkerReport(shown, value(hello, "backend", str), value(hello, "device", str), packages)


def worker_environment() -> dict[str, str]:
    """The user's environment, with this program's own folder as the only place added to imports:
    not the current folder, and nothing that Blender's Python set for itself."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    return {
        "OPENBLAS_NUM_THREADS": "1",  # as the command line does, see core/__main__.py
        **kept,
        "PYTHONPATH": str(ROOT),
        "PYTHONSAFEPATH": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONIOENCODING": "utf-8:backslashreplace",
    }


@contextlib.contextmanager
def _open_log(path: Path) -> Iterator[int]:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > LOG_BYTES:
        os.replace(path, path.with_name(path.name + ".1"))
    with path.open("ab") as file:
        yield file.fileno()
