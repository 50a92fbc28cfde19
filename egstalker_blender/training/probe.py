"""Can a Python train? Asked once, in a thread that never touches Blender; a panel reads the answer.
No bpy."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ...core.engine.process import worker_environment

LIMIT = 30.0  # seconds to answer
RETRY = 10.0  # seconds after which a No is asked again: packages may have been installed
NEEDED = "torch"
SEARCH = f"import importlib.util as u, sys; sys.exit(0 if u.find_spec({NEEDED!r}) else 3)"
Ask = Callable[[Path], str]


def ask(python: Path) -> str:
    """Why that Python cannot train, empty where it can. Blocks for as long as it takes to start."""
    try:
        done = subprocess.run(
            [str(python), "-c", SEARCH],  # torch is looked for and not imported: that takes seconds
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=worker_environment(),
            timeout=LIMIT,
            check=False,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except (OSError, subprocess.SubprocessError):
        return f"{python} does not run as Python; choose another in the preferences"
    if done.returncode == 3:
        return f"Training needs {NEEDED}, which {python} lacks; Set Up in the preferences adds it"
    if done.returncode != 0:
        return f"{python} does not run as Python; choose another in the preferences"
    return ""


@dataclass(frozen=True)
class _Answer:
    reason: str
    at: float


class Probe:
    """Answers by interpreter. `answer` never waits, `wait_for` does."""

    def __init__(self, question: Ask = ask) -> None:
        self._question = question
        self._answers: dict[Path, _Answer] = {}
        self._threads: dict[Path, threading.Thread] = {}

    def answer(self, python: Path) -> str | None:
        """As `ask`; None where it is not known yet, and then it is being found out."""
        known = self._answers.get(python)
        if known is None or (known.reason and time.monotonic() - known.at > RETRY):
            self._begin(python)
        return known.reason if known is not None else None

    def wait_for(self, python: Path) -> str:
        self._begin(python).join()
        return self._answers[python].reason

    @property
    def busy(self) -> bool:
        return any(thread.is_alive() for thread in self._threads.values())

    def _begin(self, python: Path) -> threading.Thread:
        thread = self._threads.get(python)
        if thread is None or not thread.is_alive():
            thread = threading.Thread(target=self._run, args=(python,), daemon=True)
            self._threads[python] = thread
            thread.start()
        return thread

    def _run(self, python: Path) -> None:
        self._answers[python] = _Answer(self._question(python), time.monotonic())
