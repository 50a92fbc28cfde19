"""Common parts of every kind of job: its process, its end on each system, its session."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from egstalker.egstalker_blender.jobs import command
from egstalker.egstalker_blender.jobs.command import Place, Step
from egstalker.egstalker_blender.jobs.job import DONE, FAILED, STOPPED, Job
from egstalker.egstalker_blender.jobs.session import Session

from tests.support.blender import ROOT, clean_environment, python_here
from tests.support.waiting import Gate, alive, until


def python(code: str, label: str = "Trying", **values: Any) -> Step:
    return Step(label, (sys.executable, "-c", code), **values)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "log", {}, merged=True)


@pytest.fixture
def mine() -> Iterator[Session]:
    own: Session = Session()
    yield own
    own.close()


def test_the_next_step_starts_when_one_is_done(place: Place, mine: Session) -> None:
    steps = [python("print('one')", share=0.5), python("print('two')", share=0.5)]
    mine.start(Job(steps, place))
    mine.run()
    assert mine.state is not None and mine.state.kind == DONE and mine.state.factor == 1.0
    assert place.log.read_text().split() == ["one", "two"]


def test_the_own_error_line_is_the_message(place: Place, mine: Session) -> None:
    mine.start(Job([python("print('error: bad; do this'); print('bye'); exit(1)")], place))
    mine.run()
    assert mine.state is not None
    assert (mine.state.kind, mine.state.text) == (FAILED, "bad; do this")


def test_a_result_must_be_there(place: Place, mine: Session, tmp_path: Path) -> None:
    mine.start(Job([python("", result=tmp_path / "made")], place))
    mine.run()
    assert mine.state is not None and mine.state.kind == FAILED
    assert f"{tmp_path / 'made'} is not there" in mine.state.text


@pytest.mark.skipif(sys.platform == "win32", reason="a gate is a POSIX pipe")
def test_nothing_runs_on_when_a_session_is_closed(
    place: Place, mine: Session, tmp_path: Path
) -> None:
    mine.start(Job([python(Gate(tmp_path / "gate").code)], place))
    assert mine.tick() and mine.job is not None
    mine.close()
    assert mine.state is not None and mine.state.kind == STOPPED
    assert not alive(mine.job.pid) and not mine.tick()


SETS_UP = """
import runpy, sys
import bpy
runpy.run_path(sys.argv[1])["load_extension"]()
from egstalker.egstalker_blender.jobs.command import Step
from egstalker.egstalker_blender.setup_worker.session import session
code = "while True: print('Collecting torch', flush=True)"
step = Step("Installing", (sys.executable, "-c", code))
session().begin_set_up("cpu", None, lambda folder: [step])
print("PID", session().job.pid, flush=True)
sys.stdin.read()  # until it is killed
"""


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_no_set_up_outlives_a_blender_that_is_killed(tmp_path: Path) -> None:
    """Its log is not written by the command itself: the pipe breaks at the next line."""
    process = subprocess.Popen(
        python_here("-c", SETS_UP, ROOT / "egstalker_blender" / "batch.py"),
        env=clean_environment(tmp_path / "profile", XDG_CACHE_HOME=str(tmp_path / "cache")),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            pid = int(next(line for line in process.stdout if line.startswith("PID")).split()[1])
            assert alive(pid)
        finally:
            process.kill()
    until(lambda: not alive(pid))


def test_windows_kills_the_children_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(command, "sys", SimpleNamespace(platform="win32"))
    monkeypatch.setattr(command.subprocess, "run", lambda args, **_: seen.append(args))
    popen: Any = SimpleNamespace(pid=7, kill=lambda: seen.append("kill"))
    command._signal_family(popen, "SIGTERM")
    assert seen == [["taskkill", "/F", "/T", "/PID", "7"], "kill"]
