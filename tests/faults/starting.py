"""How a run of act.py is started: by an interpreter of its own, or as a copy of this process, which
has loaded the modules already. A copy needs a third of the processor time, and every fault meets it
in its work."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from tests.faults import act

ROOT = Path(__file__).resolve().parents[2]


class Started(Protocol):
    """A process that leads a session. poll: its exit code, negative for a signal; None while it
    runs. wait: the same, after so many seconds at most."""

    @property
    def pid(self) -> int | None: ...

    def poll(self) -> int | None: ...

    def wait(self, seconds: float | None) -> int | None: ...


Start = Callable[[Sequence[str], Mapping[str, str], int], Started]
"""(arguments of act.py, variables to set, file descriptor that gets its errors)"""


def interpreter(
    words: Sequence[str],
    variables: Mapping[str, str],
    errors: int,
    program: Sequence[str] = ("-m", "tests.faults.act"),
) -> Started:
    """A new Python. program: what it runs."""
    return _Interpreter([sys.executable, *program, *words], variables, errors)


class _Interpreter:
    def __init__(self, command: list[str], variables: Mapping[str, str], errors: int) -> None:
        self._popen = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,
        )
        self.pid = self._popen.pid

    def poll(self) -> int | None:
        return self._popen.poll()

    def wait(self, seconds: float | None) -> int | None:
        try:
            return self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            return None


class Copy:
    """Of this process, which must have no threads that work."""

    def __init__(self, words: Sequence[str], variables: Mapping[str, str], errors: int) -> None:
        self._process = multiprocessing.get_context("fork").Process(
            target=_become, args=(words, variables, errors)
        )
        self._process.start()

    @property
    def pid(self) -> int | None:
        return self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, seconds: float | None) -> int | None:
        self._process.join(seconds)
        return self._process.exitcode


def in_a_copy(work: Callable[[], object]) -> None:
    """Do it in a copy of this process, so that this one has no threads of it."""
    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    process.join()
    assert process.exitcode == 0, process.exitcode


def _become(words: Sequence[str], variables: Mapping[str, str], errors: int) -> None:
    """In the copy: act.py with these arguments, and an end like a program's."""
    os.setsid()
    nowhere = os.open(os.devnull, os.O_RDWR)
    for source, target in ((nowhere, 0), (nowhere, 1), (errors, 2)):
        os.dup2(source, target)
    os.environ.update(variables)
    try:
        code = act.main(*words)
    finally:
        atexit._run_exitfuncs()  # multiprocessing leaves them out until Python 3.13
    sys.exit(code)
