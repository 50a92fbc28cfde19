"""The background thread of an engine: order, dropped requests, errors, ending."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from core.avatar.motion import moment_at
from core.engine.background import Background, Task
from core.engine.builtin import BuiltinEngine
from core.errors import EngineError
from tests.support.talking import files, job_for, small_avatar
from tests.support.waiting import LIMIT


class Gate:
    """A task that stays in hand until it is opened."""

    def __init__(self) -> None:
        self.begun, self.opened = threading.Event(), threading.Event()

    def __call__(self) -> str:
        self.begun.set()
        assert self.opened.wait(LIMIT)
        return "gate"


@pytest.fixture
def background() -> Iterator[Background]:
    background = Background()
    yield background
    background.close(LIMIT)


def threads() -> int:
    """Threads of a Background that are alive."""
    return sum(thread.name == "egstalker" for thread in threading.enumerate())


def value_of(name: str) -> Task:
    return Task(name, lambda: name.upper())


def test_the_newest_list_wins_and_keeps_its_order(background: Background) -> None:
    gate = Gate()
    background.want([Task("gate", gate), value_of("old")])
    assert gate.begun.wait(LIMIT)
    for position in range(50):  # scrubbing: nobody ever sees the positions in between
        background.want([value_of(f"frame {position}"), value_of("next")])
    gate.opened.set()
    assert background.settle(LIMIT)
    assert [done.name for done in background.take()] == ["gate", "frame 49", "next"]
    assert background.take() == []


def test_a_result_that_was_not_taken_is_not_computed_again(background: Background) -> None:
    """A frame may be finished between the timeline's look at the results and its next request."""
    background.want([value_of("frame")])
    assert background.settle(LIMIT)
    background.want([value_of("frame"), value_of("other")])
    assert background.settle(LIMIT)
    assert [done.name for done in background.take()] == ["frame", "other"]
    background.want([value_of("frame")])  # taken: it may be wanted again
    assert background.settle(LIMIT)
    assert [done.name for done in background.take()] == ["frame"]


def test_what_runs_is_not_begun_again(background: Background) -> None:
    gate = Gate()
    background.want([Task("gate", gate)])
    assert gate.begun.wait(LIMIT)
    background.want([Task("gate", lambda: "twice"), value_of("other")])
    gate.opened.set()
    assert background.settle(LIMIT)
    assert [done.value for done in background.take()] == ["gate", "OTHER"]


def test_errors_are_values_and_the_thread_goes_on(background: Background) -> None:
    failure = EngineError("no luck")

    def fail() -> None:
        raise failure

    background.want([Task("bad", fail), value_of("good")])
    assert background.settle(LIMIT)
    bad, good = background.take()
    assert (bad.value, bad.error) == (None, failure)
    assert (good.value, good.error) == ("GOOD", None)


def test_it_computes_beside_the_caller_and_says_how_long(background: Background) -> None:
    gate = Gate()
    background.want([Task("gate", gate)])
    assert gate.begun.wait(LIMIT)
    assert background.busy
    assert background.take() == []
    assert not background.settle(0.05)
    gate.opened.set()
    assert background.settle(LIMIT)
    assert background.busy  # something lies there
    assert background.take()[0].seconds >= 0.05
    assert not background.busy


def test_closing_forgets_all_and_leaves_no_thread() -> None:
    background, gate = Background(), Gate()
    before = threads()
    background.want([Task("gate", gate), value_of("never")])
    assert gate.begun.wait(LIMIT)
    assert threads() == before + 1
    background.close(0.01)  # does not wait for ever
    gate.opened.set()
    background.close(LIMIT)
    assert threads() == before
    assert background.take() == []
    background.want([value_of("late")])
    assert background.settle(LIMIT)
    assert background.take() == []


def test_no_thread_before_the_first_task() -> None:
    before = threads()
    background = Background()
    background.want([])
    assert threads() == before
    background.close()


def test_a_bake_and_the_thread_share_one_engine(background: Background, tmp_path: Path) -> None:
    """Both go on, neither waits for ever, and each gets the numbers that it gets alone."""
    path = tmp_path / "small.egs"
    avatar = small_avatar(path)
    job = job_for(path, avatar, tmp_path / "alone", count=4)
    list(BuiltinEngine("numpy").bake(job))
    expected = files(job.directory)
    engine = BuiltinEngine("numpy")
    job = job_for(path, avatar, tmp_path / "beside", count=4)
    moment = moment_at(avatar, 0.2)
    alone = BuiltinEngine("numpy").deform(avatar, job.track, moment)
    steps = engine.bake(job)
    for turn in range(len(job.frames) + 1):  # the bake advances step by step
        background.want([Task(turn, lambda: engine.deform(avatar, job.track, moment))])
        next(steps)
        assert background.settle(LIMIT)
    assert next(steps, None) is None
    assert files(job.directory) == expected
    done = background.take()
    assert len(done) == 5
    for finished in done:
        assert finished.error is None
        assert np.array_equal(finished.value.means, alone.means)  # type: ignore[attr-defined]
