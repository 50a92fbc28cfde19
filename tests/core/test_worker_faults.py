"""What happens to a worker at a bad moment: a sound that changes, an engine that is closed."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.engine.process import WorkerProcess
from core.engine.worker import WorkerEngine
from core.errors import InputError
from tests.support.talking import files, job_for, small_avatar, sound
from tests.support.waiting import alive, until
from tests.support.wrapped_worker import STOPS, wrapped

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs signals and scripts with #!")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[WorkerEngine]:
    """Its worker stops after three frames of its first life."""
    log = tmp_path / "log" / "worker.log"
    engine = WorkerEngine(wrapped(tmp_path, STOPS), log, backend="numpy", back_off=0.01)
    yield engine
    engine.close()


def test_a_sound_that_changed_under_way_is_not_mixed_with_the_old_one(
    engine: WorkerEngine, tmp_path: Path
) -> None:
    """A worker that starts again reads the sound again."""
    path = tmp_path / "head.egs"
    features = tmp_path / "voice.npy"
    np.save(features, sound().windows)
    job = job_for(path, small_avatar(path), tmp_path / "out", count=6, voice=features)
    with pytest.raises(InputError, match=r"voice.npy changed during the bake, .* bake again$"):
        for progress in engine.bake(job):
            if progress.number == 2:
                np.save(features, sound(seed=1).windows[:-1])
                assert engine.pid is not None
                os.kill(engine.pid, signal.SIGKILL)
    assert len(files(job.directory)) in (2, 3)
    assert [p.number for p in engine.bake(job)][-1] == 6


def test_a_worker_that_starts_while_the_engine_is_closed_ends(
    engine: WorkerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine is closed at the last moment before it learns of its process."""
    closing: list[threading.Thread] = []
    processes: list[WorkerProcess] = []
    settled = Future.set_result

    def closed_just_before(run: Any, process: object) -> None:
        if isinstance(process, WorkerProcess):
            processes.append(process)
            closing.append(threading.Thread(target=engine.close))
            closing[0].start()
            until(lambda: not closing[0].is_alive() or engine._guard.locked())
        settled(run, process)

    monkeypatch.setattr(Future, "set_result", closed_just_before)
    engine._current()
    until(lambda: closing and not closing[0].is_alive())
    until(lambda: not alive(processes[0].pid))
