"""Setting up a Python for the worker by injected commands, and checking it."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import bpy
import pytest
from egstalker.core.engine import process as checking
from egstalker.core.errors import EngineError, OutputError, WorkerError
from egstalker.core.system.leftovers import owner, part_of
from egstalker.egstalker_blender import preferences
from egstalker.egstalker_blender.jobs.command import Step
from egstalker.egstalker_blender.jobs.job import DONE, FAILED, STOPPED, State
from egstalker.egstalker_blender.setup_worker import environment, operators, plan, pythons, session
from egstalker.egstalker_blender.setup_worker.job import SetUp, detail_of

from tests.support.waiting import Clock, Gate, alive, until

ROOT = Path(__file__).resolve().parents[2]

# Stand for pip: print its output, and create what a step creates.
MAKE = "import sys; open(sys.argv[1]+'/file','w').close()"
SAY = """
print("Collecting numba>=0.60"); print("  Downloading numba-0.61-cp311.whl (3.8 MB)")
print("Collecting librosa<2,>=0.11"); print("Installing collected packages: numba, librosa")
"""
HANG = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("Collecting torch", flush=True); print(child.pid, flush=True); time.sleep(600)
"""


def step(code: str, *arguments: str, share: float = 0.5, limit: float = 30.0) -> Step:
    return Step("Installing", (sys.executable, "-c", code, *arguments), limit, share)


def make(tmp_path: Path, *codes: str, clock: Clock | None = None, first: str = MAKE) -> SetUp:
    return SetUp(
        tmp_path,
        tmp_path / "setup.log",
        lambda folder: (step(first, str(folder)), *(step(code) for code in codes)),
        details={"choice": "cpu"},
        clock=clock or Clock(),
    )


def finish(job: SetUp) -> State:
    until(lambda: not job.poll().alive)
    return job.poll()


def test_success_leaves_a_marked_environment(tmp_path: Path) -> None:
    job = make(tmp_path, SAY)
    state = finish(job)
    assert (state.kind, state.factor) == (DONE, 1.0)
    assert json.loads((job.environment / environment.MARKER).read_text()) == {
        "choice": "cpu",
        "complete": True,
    }
    assert "Installing collected packages" in job.log.read_text()
    assert job.poll() == state


def test_a_set_up_in_a_folder_of_any_name(tmp_path: Path) -> None:
    root = tmp_path / "Jürgen 頭 [1] 100% AppData"
    root.mkdir()

    def steps(folder: Path) -> tuple[Step, ...]:
        venv = (sys.executable, "-I", "-m", "venv", "--without-pip", "--symlinks", str(folder))
        there = f"import sys; assert sys.prefix == {str(folder)!r}, sys.prefix"
        trying = (str(plan.python_of(folder)), "-I", "-c", there)
        return Step("Making", venv, 60.0, 0.5), Step("Trying", trying, 60.0, 0.5)

    job = SetUp(root, root / "setup.log", steps)
    state = finish(job)
    assert state.kind == DONE, (state, (root / "setup.log").read_text(errors="replace"))
    assert environment.is_complete(job.environment)


def test_progress_grows_and_says_what_happens(tmp_path: Path) -> None:
    making, collecting, unpacking = (
        Gate(tmp_path / name) for name in ("making", "collecting", "unpacking")
    )
    clock = Clock()
    code = f"{collecting.code}\n{SAY}\n{unpacking.code}"
    job = make(tmp_path, code, clock=clock, first=f"{making.code}\n{MAKE}")
    assert job.poll().factor == 0.0 and job.poll().text == "Installing"
    making.open()
    until(lambda: job.poll().factor == 0.5)  # the first of the two steps is done
    collecting.open()
    clock.advance(20.0)
    until(lambda: "unpacking" in job.poll().text)
    assert 0.5 < job.poll().factor < 1 and job.poll().seconds == 20.0
    unpacking.open()
    assert finish(job).kind == DONE


def test_failure_leaves_nothing_and_says_why(tmp_path: Path) -> None:
    job = make(tmp_path, "print('ERROR: No matching distribution found for torch'); exit(1)")
    state = finish(job)
    assert state.kind == FAILED
    assert state.text == "Installing: ERROR: No matching distribution found for torch"
    assert [path.name for path in tmp_path.iterdir()] == ["setup.log"]


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    missing = Step("Making", (str(tmp_path / "no"),), 9, 1)
    with pytest.raises(EngineError, match="cannot be started"):
        SetUp(tmp_path, tmp_path / "log", lambda _: [missing])
    later = SetUp(tmp_path, tmp_path / "log", lambda at: [step(MAKE, str(at)), missing])
    state = finish(later)
    assert state.kind == FAILED and "cannot be started" in state.text
    assert not environment.environments(tmp_path)


def test_a_step_has_a_time_limit(tmp_path: Path) -> None:
    clock = Clock()
    job = make(tmp_path, HANG, clock=clock)
    until(lambda: "torch" in job.poll().text)
    clock.advance(29.0)
    assert job.poll().alive
    clock.advance(2.0)
    state = finish(job)
    assert state.kind == FAILED and state.text == "Installing: it took more than 0.5 minutes"


def test_cancel_ends_the_whole_family(tmp_path: Path) -> None:
    job = make(tmp_path, HANG)
    until(lambda: job.poll() and _after(job.log, "Collecting torch\n").endswith("\n"))
    child = int(_after(job.log, "Collecting torch\n"))
    job.stop()
    assert job.poll().kind == STOPPED
    assert not environment.environments(tmp_path)
    until(lambda: not alive(child))


def _after(log: Path, text: str) -> str:
    return log.read_text().partition(text)[2] if log.exists() else ""


def test_the_old_environment_outlives_a_failure(tmp_path: Path) -> None:
    good = make(tmp_path)
    finish(good)
    leftover = tmp_path / "environment_7"
    leftover.mkdir()  # of a Blender that was killed
    (leftover / f".{environment.MARKER}.{owner(10**18)}.part").touch()
    other = environment.fresh_folder(tmp_path)  # of one that is at it now
    bad = make(tmp_path, "exit(3)")
    assert bad.environment != good.environment
    assert finish(bad).text == "Installing: it ended with code 3"
    assert environment.environments(tmp_path) == [good.environment, other]
    better = make(tmp_path)
    finish(better)
    environment.remove_earlier(better.earlier)
    assert environment.environments(tmp_path) == [other, better.environment]
    part_of(other / environment.MARKER).unlink()
    environment.clear_unfinished(tmp_path)
    assert environment.environments(tmp_path) == [better.environment]


def test_two_blenders_never_set_up_in_one_folder(tmp_path: Path) -> None:
    assert len({environment.fresh_folder(tmp_path) for _ in range(2)}) == 2
    with pytest.raises(OutputError, match="environment_1 cannot be created: "):
        environment.fresh_folder(tmp_path / "none")


def test_set_ups_that_end_at_once_do_not_remove_each_other(tmp_path: Path) -> None:
    both = [make(tmp_path), make(tmp_path)]
    for job in both:
        finish(job)
    for job in both:
        environment.remove_earlier(job.earlier)
    assert all(environment.is_complete(job.environment) for job in both)
    last = make(tmp_path)
    finish(last)
    environment.remove_earlier(last.earlier)
    assert environment.environments(tmp_path) == [last.environment]


def test_room_is_looked_at_first(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="make room"):
        SetUp(tmp_path, tmp_path / "log", lambda _: [], space=1e18)


@pytest.mark.parametrize(
    ("line", "detail"),
    [
        ("Collecting numba>=0.60", "looking at numba"),
        ("  Downloading llvmlite-0.4-cp311.whl.metadata (4 kB)", "downloading llvmlite (4 kB)"),
        ("Downloading torch-2.13.whl (192.3 MB)", "downloading torch (192.3 MB)"),
        ("Installing collected packages: a, b", "unpacking"),
        ("Requirement already satisfied: pip", ""),
        ("", ""),
    ],
)
def test_what_pip_says(line: str, detail: str) -> None:
    assert detail_of(line) == detail


def test_a_base_is_found() -> None:
    base = pythons.find_base()
    assert checking.python_version(base) >= checking.LEAST_PYTHON


def test_a_chosen_base_must_run(tmp_path: Path) -> None:
    no_python = tmp_path / "python"
    no_python.write_text("#!/bin/sh\necho hello\n")
    no_python.chmod(0o755)
    with pytest.raises(WorkerError, match="does not run as Python"):
        pythons.find_base(no_python)
    no_python.write_text("#!/bin/sh\necho 3.9.1\n")
    with pytest.raises(WorkerError, match=r"is Python 3\.9\.1; 3\.11 or later is needed"):
        pythons.find_base(no_python)


def test_blenders_python_is_only_a_base() -> None:
    for path in pythons.blender_python():
        assert path.is_relative_to(sys.prefix) or path.is_relative_to(sys.base_prefix)


@pytest.fixture
def mine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """A session of its own, in a folder of its own."""
    monkeypatch.setattr(session, "user_folder", lambda name: tmp_path)
    monkeypatch.setattr(session, "_session", session.WorkerSession())
    return session.session()


def test_a_set_up_is_checked_when_it_is_done(mine: Any, tmp_path: Path) -> None:
    mine.begin_set_up("cpu", None, lambda folder: [step(MAKE, str(folder))])
    mine.run()
    assert mine.state.kind == DONE
    assert mine.check is not None and mine.check.python == mine.job.python
    assert "does not run as Python" in mine.check.fault  # it holds one empty file


def test_one_set_up_at_a_time(mine: Any) -> None:
    mine.begin_set_up("cpu", None, lambda folder: [step(MAKE, str(folder)), step(HANG)])
    with pytest.raises(Exception, match="running already"):
        mine.begin_set_up("cpu", None, lambda folder: [])
    assert operators.EGSTALKER_OT_worker_cancel.poll(bpy.context)
    bpy.ops.egstalker.worker_cancel()
    assert mine.state.kind == STOPPED
    assert not operators.EGSTALKER_OT_worker_cancel.poll(bpy.context)


def test_offline_nothing_starts(mine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operators, "bpy", _offline(False))
    assert "Allow Online Access" in operators.offline_reason()
    monkeypatch.setattr(operators, "bpy", _offline(True))
    assert "when Blender was started" in operators.offline_reason()
    with pytest.raises(RuntimeError, match="Online access was turned off"):
        bpy.ops.egstalker.worker_set_up()
    assert mine.job is None


def _offline(override: bool) -> Any:
    from types import SimpleNamespace

    app = SimpleNamespace(online_access=False, online_access_override=override)
    return SimpleNamespace(app=app)


def test_check_shows_python_packages_and_device(tmp_path: Path) -> None:
    python = Path(os.environ.get(preferences.WORKER_PYTHON_VARIABLE) or sys.executable)
    report = checking.check_worker(python, tmp_path / "log")
    first, packages = report.lines()
    version = ".".join(map(str, checking.python_version(python)))
    assert first.startswith(f"Python {version}: ") and report.device
    assert "numpy" in packages


def test_check_has_a_time_limit(tmp_path: Path) -> None:
    silent = tmp_path / "python"
    silent.write_text('#!/bin/sh\n[ "$1" = -I ] && echo 3.12.0 && exit\nexec sleep 600\n')
    silent.chmod(0o755)
    with pytest.raises(WorkerError, match="log"):
        checking.check_worker(silent, tmp_path / "log", limit=0.3)


def test_the_check_operator(mine: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(preferences.WORKER_PYTHON_VARIABLE, raising=False)
    with pytest.raises(RuntimeError, match="no worker Python is chosen"):
        bpy.ops.egstalker.worker_check()
    no_python = tmp_path / "no python"
    no_python.write_text("")
    monkeypatch.setenv(preferences.WORKER_PYTHON_VARIABLE, str(no_python))
    with pytest.raises(RuntimeError, match="does not run as Python"):
        bpy.ops.egstalker.worker_check()
    assert not mine.busy
