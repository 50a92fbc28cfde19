"""Work on several processes: order, errors, ends."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from core.errors import CancelledError, OutputError, WorkerError
from core.system.processes import AHEAD, Processes

from ..support import work
from ..support.waiting import alive, until

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    with closing(Processes(2, tmp_path_factory.mktemp("processes") / "log")) as pool:
        yield pool


def run(
    pool: Processes, folder: Path, task: Callable[..., Any], count: int = 20, tick: Any = int
) -> Iterator[Any]:
    return pool.in_order(task, range(count), partial(work.make, folder), tick)


def test_results_come_in_order_from_processes_that_make_their_tool_once(
    processes: Processes, tmp_path: Path
) -> None:
    for turn in range(2):
        folder = tmp_path / str(turn)
        folder.mkdir()
        found = list(run(processes, folder, work.twice))
        assert [value for value, _ in found] == [2 * item for item in range(20)]
        pids = {pid for _, pid in found}
        assert os.getpid() not in pids and len(pids) <= 2
        assert {path.name for path in folder.iterdir()} == {f"made_{pid}" for pid in pids}


def test_a_process_computes_on_one_thread_and_prints_to_the_log(
    processes: Processes, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with closing(Processes(2, tmp_path / "log")) as pool:
        assert all(run(pool, tmp_path, work.one_thread, 4))
    assert "a line of a library" in (tmp_path / "log").read_text()
    assert capfd.readouterr() == ("", "")


def test_only_a_few_items_are_begun_before_a_result_is_taken(
    processes: Processes, tmp_path: Path
) -> None:
    results = run(processes, tmp_path, work.marked, 100)
    next(results)
    results.close()
    assert 1 <= len(list(tmp_path.glob("item_*"))) <= 2 * AHEAD


def test_an_error_reaches_the_caller_as_it_is(processes: Processes, tmp_path: Path) -> None:
    seen = []
    with pytest.raises(OutputError, match=r"^the disk is full; make room$"):
        for value in run(processes, tmp_path, work.fails):
            seen.append(value)
    assert seen == [0, 1, 2, 3, 4]
    assert len(list(run(processes, tmp_path, work.twice))) == 20  # the processes still work


def test_a_killed_process_is_one_clear_error(processes: Processes, tmp_path: Path) -> None:
    with pytest.raises(WorkerError, match=r"a process was killed.*run it again"):
        list(run(processes, tmp_path, work.dies))
    assert len(list(run(processes, tmp_path, work.twice))) == 20  # new ones are started


def test_the_caller_can_stop_while_nothing_is_ready(tmp_path: Path) -> None:
    ticks = itertools.count(1)

    def tick() -> None:
        if next(ticks) == 3:
            raise CancelledError("stopped")

    with closing(Processes(2, tmp_path / "log")) as pool, pytest.raises(CancelledError):
        list(run(pool, tmp_path, work.one_thread, 4, tick))


PROGRAM = """
import sys
from functools import partial
from pathlib import Path
from core.system.processes import Processes
from tests.support import work

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    pool = Processes(2, folder / "log")
    list(pool.in_order(work.hangs, range(4), partial(work.make, folder), int))
"""


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX: looks for processes by number")
def test_no_process_outlives_a_program_that_is_killed(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    program = subprocess.Popen([sys.executable, tmp_path / "program.py", tmp_path], env=environ)
    until(lambda: len(list(tmp_path.glob("pid_*"))) == 2 or program.poll() is not None)
    pids = [int(path.name[4:]) for path in tmp_path.glob("pid_*")]
    assert len(pids) == 2
    program.kill()
    program.wait()
    until(lambda: not any(map(alive, pids)))
