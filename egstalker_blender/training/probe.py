"""Asks a Python once whether it can train, in a thread that never touches Blender. No bpy."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ...core.engine.process import worker_environment
from ..setup_worker.plan import PREPARE_IMPORTS

LIMIT = 30.0  # seconds to answer
RETRY = 10.0  # seconds after which a negative answer is out of date
TRAIN = ("torch",)
BARE = "mediapipe.modules"  # the folder of mediapipe's models
SEARCH = (
    "import importlib.util, os, sys\n"
    "found = {name: importlib.util.find_spec(name) for name in sys.argv[1:]}\n"
    "print(*[name for name, spec in found.items() if spec is None])\n"
    "spec = found.get('mediapipe')\n"
    "if spec and not os.path.isdir(os.path.join(os.path.dirname(spec.origin), 'modules')):\n"
    f"    print('{BARE}')"
)


@dataclass(frozen=True)
class Answer:
    """missing: packages of the lists above that it lacks. fault: why it gave no answer. at:
    time.monotonic() of the answer. models: its mediapipe, if any, contains models."""

    python: Path
    missing: tuple[str, ...] = ()
    fault: str = ""
    at: float = 0.0
    models: bool = True

    def reason(self, video: bool = False, models: bool = False) -> str:
        """The reason why that Python cannot train, empty if it can. video: on a video. models: the
        user names model files."""
        if self.fault:
            return self.fault
        lacks = [name for name in TRAIN if name in self.missing]
        if lacks:
            return f"Training needs {_listed(lacks)}, not in {self.python}; Set Up adds it"
        lacks = [name for name in PREPARE_IMPORTS if name in self.missing]
        if video and lacks:
            return f"Videos need {_listed(lacks)}, not in {self.python}; Set Up with Videos adds it"
        if video and not (self.models or models):
            return (
                f"The mediapipe of {self.python} contains no models; choose Landmark Model and "
                "Segmenter in the preferences"
            )
        return ""


Ask = Callable[[Path], Answer]


def ask(python: Path) -> Answer:
    """Blocks while the interpreter starts. It looks packages up without importing them, which would
    take seconds."""
    try:
        done = subprocess.run(
            [str(python), "-c", SEARCH, *TRAIN, *PREPARE_IMPORTS],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            env=worker_environment(),
            timeout=LIMIT,
            check=True,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except (OSError, subprocess.SubprocessError):
        fault = f"{python} does not run as Python; choose another in the preferences"
        return Answer(python, fault=fault, at=time.monotonic())
    lacks = done.stdout.split()
    missing = tuple(name for name in lacks if name != BARE)
    return Answer(python, missing, at=time.monotonic(), models=BARE not in lacks)


def _listed(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)


class Probe:
    """Answers by interpreter. `answer` never waits, `wait_for` does."""

    def __init__(self, question: Ask = ask) -> None:
        self._question = question
        self._answers: dict[Path, Answer] = {}
        self._threads: dict[Path, threading.Thread] = {}

    def answer(self, python: Path) -> Answer | None:
        """The answer of `ask`; None while it is not known yet; then a thread asks."""
        known = self._answers.get(python)
        bad = known is not None and (known.missing or known.fault)
        if known is None or (bad and time.monotonic() - known.at > RETRY):
            self._begin(python)
        return known

    def wait_for(self, python: Path) -> Answer:
        self._begin(python).join()
        return self._answers[python]

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
        self._answers[python] = self._question(python)
