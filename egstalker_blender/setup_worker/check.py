"""Asks a Python for its version, packages and device, in a thread. No bpy."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from ...core.engine.process import WorkerReport, check_worker
from ...core.errors import EgsError

LIMIT = 60.0  # seconds


class Check:
    """Starts a worker of that Python and asks for its report, in a thread that never touches
    Blender. report: the answer. fault: the reason if there is none."""

    def __init__(
        self,
        python: Path,
        log: Path,
        backend: str = "auto",
        limit: float = LIMIT,
        ask: Callable[..., WorkerReport] = check_worker,
    ) -> None:
        self.python = python
        self.report: WorkerReport | None = None
        self.fault = ""
        self._arguments = (python, log, backend, limit)
        self._ask = ask
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    def wait(self, seconds: float | None = None) -> None:
        """Wait for the answer, or for that time."""
        self._thread.join(seconds)

    def _run(self) -> None:
        try:
            self.report = self._ask(*self._arguments)
        except EgsError as error:
            self.fault = str(error)
        except OSError as error:
            self.fault = f"{self.python} cannot be checked: {error.strerror or error}"
