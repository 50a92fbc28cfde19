"""An activity that runs, seen from outside: its processes, and what it leaves."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.faults.activities import ACTIVITIES
from tests.faults.activity import Place
from tests.faults.starting import Start, interpreter
from tests.support.processes import processor_seconds
from tests.support.waiting import alive

TOKEN = "FAULT_TRIAL"  # a variable that all processes of a trial inherit
HANGS = 600.0  # seconds after which a run counts as hanging
ENDS = 60.0  # seconds that its other processes have to end after it; a worker has 10
TICK = 0.01  # seconds, the unit of a process's processor time
SHARED_MEMORY = Path("/dev/shm")
OTHERS = "sem.mp-*"  # Python's semaphores, which act.py refuses: they are other programs'
# How the last line begins; those of numpy's library and of C's, which end a process without memory.
REASONS = (
    *("error: ", '{"event": "failed"'),
    *("OpenBLAS error: Memory allocation", "cannot allocate memory for thread-local data"),
)


class Running:
    """Starts with construction, in a session of its own."""

    def __init__(
        self,
        name: str,
        place: Place,
        seed: int,
        variables: Mapping[str, str] | None = None,
        start: Start = interpreter,
    ) -> None:
        self.activity, self.place = ACTIVITIES[name], place
        self.token = secrets.token_hex(8)
        self.killed = self.fatal = False
        self._shared = set(SHARED_MEMORY.iterdir()) if SHARED_MEMORY.is_dir() else set()
        self._reads, writes = os.pipe()  # a file could be full, as others are
        try:
            words = name, str(place.folder), str(seed)
            self._process = start(words, {**(variables or {}), TOKEN: self.token}, writes)
        finally:
            os.close(writes)
        self._errors: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with open(self._reads, "rb") as stream:
            self._errors += [line.decode(errors="replace") for line in stream]

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def over(self) -> bool:
        return self._process.poll() is not None

    def processes(self) -> list[int]:
        """All that run and belong to it: of its session, or with its token in another one."""
        wanted = f"{TOKEN}={self.token}".encode()
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and alive(int(entry.name)):
                with contextlib.suppress(OSError):
                    if os.getsid(int(entry.name)) == self.pid or wanted in (
                        entry / "environ"
                    ).read_bytes().split(b"\0"):
                        found.append(int(entry.name))
        return found

    def target(self) -> int | None:
        """The process that a fault meets; None while there is none."""
        if not self.activity.worker:
            return None if self.over else self.pid
        for child in _children(self.pid):
            with contextlib.suppress(OSError):
                words = Path(f"/proc/{child}/cmdline").read_bytes().decode().split("\0")
                if self.activity.worker in words:
                    return child
        return None

    def at(self, seconds: float, meets: Callable[[int], object]) -> bool:
        """Call meets(process) once the target has used that much processor time; False if it ends
        before."""
        while not self.over:
            target = self.target()
            if target is not None and processor_seconds(target) >= seconds and alive(target):
                meets(target)
                return True
            time.sleep(TICK)
        return False

    def kill(self, process: int) -> None:
        self.killed |= process == self.pid
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)

    def kill_all(self, _process: int) -> None:
        """As if the power were cut: every process at once."""
        self.killed = True
        for process in [self.pid, *self.processes()]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)

    def end(self) -> tuple[int, list[str]]:
        """Wait for the end. Its exit code, and what is wrong with how it ended."""
        wrong = []
        code = self._process.wait(HANGS)
        if code is None:
            wrong.append("it hangs")
            self.kill_all(0)
            code = self._process.wait(None)
            assert code is not None
        limit = time.monotonic() + ENDS
        while (left := self.processes()) and time.monotonic() < limit:
            time.sleep(TICK)
        if left:
            wrong.append(f"processes are left: {left}")
            self.kill_all(0)
        self._reader.join()
        text = "".join(self._errors)
        logs = [text, *(p.read_text(errors="replace") for p in self.place.cache.glob("worker.*"))]
        if any("Traceback" in log for log in logs):
            wrong.append("a traceback:\n" + "\n".join(logs)[-3000:])
        elif code < 0 and not self.killed:
            wrong.append(f"it ended by signal {-code}: {text[-500:]}")
        elif code > 0 and not self.last_line().startswith(REASONS[: None if self.fatal else 2]):
            wrong.append(f"code {code} without a reason: {text[-500:]}")
        if SHARED_MEMORY.is_dir():
            new = {path for path in SHARED_MEMORY.iterdir() if not path.match(OTHERS)}
            new -= self._shared
            left = [path for path in new if _abandoned(path)]
            if left:  # or another program is just making or removing it
                time.sleep(1.0)
                left = [path for path in left if _abandoned(path)]
            wrong += [f"shared memory is left: {left}"] if left else []
        return code, wrong

    def last_line(self) -> str:
        return (self._errors or [""])[-1]


def _children(process: int) -> list[int]:
    try:
        threads = Path(f"/proc/{process}/task").iterdir()
        return [int(n) for t in threads for n in (t / "children").read_text().split()]
    except OSError:
        return []


def _abandoned(path: Path) -> bool:
    """Whether no process has it open or mapped: others use shared memory, too."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if str(path) in (entry / "maps").read_text():
                    return False
                if any(os.readlink(fd) == str(path) for fd in (entry / "fd").iterdir()):
                    return False
    return path.exists()
