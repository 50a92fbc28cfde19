"""The schedule of a training: time per stage, events, frames."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from core.dataset.clip import TrainingClip
from core.dataset.rows import rows_to_train
from core.errors import ArgumentError
from core.training import events as module
from core.training import schedule
from core.training.events import LOG, Events
from core.training.schedule import LIPS, MOTION, SHARES, STATIC, Clock, StagePlan, plan_stage

NAMES = (STATIC, LIPS, MOTION)


class FakeTime:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        fake = SimpleNamespace(monotonic=lambda: self.now)
        monkeypatch.setattr(schedule, "time", fake)
        monkeypatch.setattr(module, "time", fake)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeTime:
    return FakeTime(monkeypatch)


def test_by_steps() -> None:
    steps = plan_stage(LIPS, NAMES, 200, None, Clock())
    assert steps == StagePlan(LIPS, 200, None)
    assert [steps.progress(step, 1e9) for step in (0, 50, 200)] == [0, 0.25, 1]
    assert steps.expected(50, 10.0) == (200, 30.0)
    assert steps.expected(200, 10.0) == (200, 0.0)
    assert steps.expected(0, 0.0)[0] == 200


def test_a_clock_counts_what_each_thing_took(clock: FakeTime) -> None:
    watch = Clock(_since=clock.now)
    for what, seconds in (("setup", 3.0), (STATIC, 4.0), ("saving", 1.0), (STATIC, 2.0)):
        clock.now += seconds
        watch.tick(what)
    assert (watch.of(STATIC), watch.of("saving"), watch.of(MOTION)) == (6, 1, 0)
    assert watch.total() == 10


def test_minutes_are_shared_by_what_is_left() -> None:
    assert sum(SHARES[name] for name in NAMES) == pytest.approx(1)
    watch = Clock({"setup": 20.0})
    first = plan_stage(STATIC, NAMES, 9, 10, watch)
    assert first.limit == pytest.approx(580 * SHARES[STATIC])
    assert [first.progress(0, s) for s in (0.0, first.limit / 2)] == [0, 0.5]
    # The first stage and a preview took longer than planned: the others share what is left.
    watch = Clock({"setup": 20.0, STATIC: 150.0, "looking": 30.0})
    lips, motion = (plan_stage(name, NAMES, 9, 10, watch) for name in (LIPS, MOTION))
    both = SHARES[LIPS] + SHARES[MOTION]
    assert lips.limit == pytest.approx(400 * SHARES[LIPS] / both)
    assert motion.limit == pytest.approx(400)
    assert plan_stage(MOTION, [MOTION], 9, 10, Clock()).limit == 600
    assert plan_stage(MOTION, NAMES, 9, 1, Clock({STATIC: 500.0})).limit == 1  # never none at all


def test_a_resumed_stage_has_what_it_had() -> None:
    """The time that the stage itself has spent is not taken from its share."""
    before = plan_stage(LIPS, NAMES, 900, 10, Clock({STATIC: 90.0}))
    again = plan_stage(LIPS, NAMES, 900, 10, Clock({STATIC: 90.0, LIPS: 25.0}))
    assert again == before
    assert before.limit is not None and again.progress(7, 25.0) == 25 / before.limit


def test_the_lips_stage_ends_by_its_steps_even_where_there_is_time() -> None:
    lips, motion = (plan_stage(name, NAMES, 200, 100, Clock()) for name in (LIPS, MOTION))
    assert [lips.progress(step, 1.0) for step in (100, 200)] == [0.5, 1]
    assert lips.expected(100, 10.0) == (200, 10.0)
    assert motion.progress(10**6, 0.0) == 0


def test_steps_are_foreseen_by_what_they_took() -> None:
    timed = StagePlan(MOTION, 9, 100.0)
    assert timed.expected(50, 25.0) == (200, 75.0)
    assert timed.expected(300, 101.0) == (300, 0.0)


def listening(folder: Path) -> tuple[Events, list[dict[str, Any]]]:
    received: list[dict[str, Any]] = []
    return Events(folder, lambda event: received.append(dict(event))), received


def test_events_are_json_lines_in_the_log_and_the_same_for_the_listener(tmp_path: Path) -> None:
    events, received = listening(tmp_path)
    events.emit("note", text="Grüße", path=tmp_path / "x")
    events.emit("progress", loss=float("nan"), psnr=float("inf"), remaining=1 / 3, step=5)
    lines = [json.loads(line) for line in (tmp_path / LOG).read_text("utf-8").splitlines()]
    assert lines == received
    assert lines[0] == {"event": "note", "text": "Grüße", "path": str(tmp_path / "x")}
    numbers = {"loss": None, "psnr": None, "remaining": 0.33333, "step": 5}
    assert lines[1] == {"event": "progress", **numbers}
    listening(tmp_path)[0].emit("start")  # a later training goes on with the log
    assert len((tmp_path / LOG).read_text("utf-8").splitlines()) == 3


def test_progress_comes_once_a_second_and_at_the_end(tmp_path: Path, clock: FakeTime) -> None:
    events, received = listening(tmp_path)
    for step in range(30):
        events.progress(step=step)
        clock.now += 0.125
    assert [event["step"] for event in received] == [0, 8, 16, 24]
    events.progress(last=True, step=35)
    assert received[-1]["step"] == 35


def test_rows() -> None:
    rows = {"train_rows": (0, 1, 2), "val_rows": (5, 6), "more_rows": (9,)}
    clip = cast(TrainingClip, SimpleNamespace(**rows))
    assert rows_to_train(clip, "train") == (0, 1, 2)
    assert rows_to_train(clip, "all") == (0, 1, 2, 5, 6, 9)
    with pytest.raises(ArgumentError, match="train, all"):
        rows_to_train(clip, "val")
