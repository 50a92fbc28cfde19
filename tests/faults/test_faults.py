"""Faults met by work at random moments: nothing half, nothing left, the same results afterwards.
A few pairs with fixed seeds; `make faults` tries all of them, 1,000 kills among them."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
from functools import partial
from multiprocessing import synchronize
from pathlib import Path

import numpy as np
import pytest

from core.formats.safetensors import write_tensors
from tests.faults import act, running
from tests.faults.activities import ACTIVITIES
from tests.faults.activity import Place, digests
from tests.faults.running import Running
from tests.faults.starting import ROOT, interpreter
from tests.faults.trial import (
    Outcome,
    Reference,
    check_files,
    check_results,
    leftovers,
    reference,
    try_fault,
)
from tests.support.waiting import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc and prlimit")

SHORT = [
    ("bake", "worker killed", 1),
    ("bake", "file size limited", 2),
    ("scrub", "two at once", 1),
    ("scrub", "clock jumps", 1),
    ("render", "power cut", 1),
    ("render", "inputs changed", 1),
    ("set up", "power cut", 1),
]


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Reference]:
    return {}


@pytest.mark.parametrize(("activity", "fault", "seed"), SHORT)
def test_a_fault(
    tmp_path_factory: pytest.TempPathFactory,
    known: dict[str, Reference],
    activity: str,
    fault: str,
    seed: int,
) -> None:
    folder = tmp_path_factory.mktemp("faults")
    if activity not in known:
        known[activity] = reference(activity, folder, 1)
    outcome = try_fault(known[activity], fault, folder, seed)
    assert outcome.met and outcome.wrong == []


def place_in(folder: Path) -> Place:
    place = Place(folder)
    place.make()
    return place


def test_a_run_that_fails_badly_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "ENDS", 0.2)
    child = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', WAIT]); raise KeyError"
    code = f"WAIT = 'import time; time.sleep(600)'\n{child}"
    start = partial(interpreter, program=("-c", code))
    run = Running("render", place_in(tmp_path / "one"), 0, start=start)
    _, wrong = run.end()
    assert [text.partition(":")[0] for text in wrong] == ["processes are left", "a traceback"]
    until(lambda: not run.processes())
    start = partial(interpreter, program=("-c", "exit(3)"))
    run = Running("render", place_in(tmp_path / "two"), 0, start=start)
    assert run.end() == (3, ["code 3 without a reason: "])


def test_work_that_makes_semaphores_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synchronize.SemLock, "__init__", synchronize.SemLock.__init__)  # put back
    act.without_semaphores()
    with pytest.raises(AssertionError, match="makes a semaphore"):
        multiprocessing.get_context("spawn").Lock()


def test_half_files_and_files_that_stay_are_noticed(tmp_path: Path) -> None:
    place = place_in(tmp_path)
    (place.out / "1.png").write_bytes(b"whole")
    known = Reference("render", 0, place.inputs, digests(place), None, 1.0)
    assert known.results and not list(leftovers(place))
    (place.out / "1.png").write_bytes(b"who")
    outcome = Outcome(ended=[-9])
    check_files(known, place, outcome)
    assert outcome.wrong == ["['1.png'] differ from those without the fault"]
    (place.out / "1.png").unlink()
    outcome = Outcome(ended=[0])
    check_files(known, place, outcome)
    assert outcome.wrong == ["it reports success without all results"]
    left = {place.temporary / "x", place.out / ".1.png.part", place.cache / "a" / ".y"}
    for path in left:
        path.parent.mkdir(exist_ok=True)
        path.touch()
    assert set(leftovers(place)) == left


def test_changed_inputs_may_be_taken_but_not_mixed(tmp_path: Path) -> None:
    place = place_in(tmp_path)
    first, second = ({f"{n}.png": f"{name}{n}" for n in (1, 2)} for name in ("old", "new"))
    known = Reference("render", 0, place.inputs, first, second, 1.0)
    for results, wrong in (
        (first, []),
        (second, []),
        ({"1.png": "new1"}, ["it reports success without all results"]),
        ({"1.png": "new1", "2.png": "old2"}, ["['1.png'] differ from those without the fault"]),
    ):
        outcome = Outcome(ended=[0])
        check_results(known, results, outcome)
        assert outcome.wrong == wrong


def test_an_avatar_that_is_not_frozen_yet_is_whole(tmp_path: Path) -> None:
    place, head = place_in(tmp_path), np.ones(3, np.float32)
    results = []
    for tensors in ({"held.rows": head, "gaussians.means": head}, {"gaussians.means": head}):
        write_tensors(place.out / "head.egs", tensors, {})
        results.append(ACTIVITIES["train"].results(place))
    known, killed = Reference("train", 0, place.inputs, results[0], None, 1.0), Outcome(ended=[-9])
    check_results(known, results[1], killed)
    ended = Outcome(ended=[0])
    check_results(known, results[1], ended)
    assert (killed.wrong, ended.wrong) == ([], ["it reports success without all results"])


COPIED = """
import sys
from pathlib import Path
from tests.faults.faults import FAULTS
from tests.faults.starting import Copy
from tests.faults.trial import reference, try_fault
folder = Path(sys.argv[1])
known = reference("scrub", folder, 1, Copy)
for fault in ("worker killed", "power cut", "two at once", "memory limited"):
    outcome = try_fault(known, fault, folder, 1)
    assert outcome.met and outcome.ended and not outcome.wrong, outcome
"""


def test_runs_may_be_copies_of_a_process_that_has_loaded_the_modules(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", COPIED, str(tmp_path)], cwd=ROOT, check=True)
