"""Ends of a training: by the user, by time, by errors. The state is saved each time."""

from __future__ import annotations

import errno
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from core.avatar.file import load_avatar
from core.errors import (
    ArgumentError,
    CancelledError,
    DatasetError,
    InputError,
    OutputError,
    TrainingError,
)
from core.training import events as events_module
from core.training import schedule, setup, stages, trainer
from core.training.events import LOG
from core.training.folder import EARLIER_STATE, STATE
from core.training.job import STOP, TrainJob
from tests.support.training_runs import (
    SMALL,
    job_of,
    make_talking_clip,
    stop_at,
    stopped_before,
    train,
)
from tests.support.waiting import Clock


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_talking_clip(tmp_path_factory.mktemp("talking"))


@pytest.fixture
def job(clip: Path, tmp_path: Path) -> TrainJob:
    return job_of(clip, tmp_path / "job")


def test_a_stop_file_ends_it_with_its_state_saved(job: TrainJob) -> None:
    with (
        stopped_before("lips", 2),
        pytest.raises(CancelledError, match="step 2 of stage lips") as caught,
    ):
        train(job)
    assert caught.value.exit_code == 130
    assert (job.work / STATE).is_file() and not (job.work / STOP).exists()
    assert not job.out.exists()


def test_a_stop_file_of_another_time_stops_nothing(job: TrainJob) -> None:
    job.work.mkdir()
    (job.work / STOP).touch()
    assert train(job)[-1]["event"] == "done"


def test_a_stop_while_the_dataset_is_read_ends_it(
    job: TrainJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    job.work.mkdir()
    load = setup.load_clip

    def stopping(folder: Path) -> Any:
        (job.work / STOP).touch()
        return load(folder)

    monkeypatch.setattr(setup, "load_clip", stopping)
    with pytest.raises(CancelledError, match="step 0 of stage static"):
        train(job)


@pytest.mark.parametrize("stage", ["static", "motion"])
def test_a_loss_that_is_not_a_number_keeps_the_last_state(
    job: TrainJob, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    stop_at(job, stage, 2)
    before = (job.work / STATE).read_bytes()
    loss = stages.picture_loss

    def broken(*args: Any) -> torch.Tensor:
        return loss(*args) * float("nan")

    monkeypatch.setattr(stages, "picture_loss", broken)
    with pytest.raises(TrainingError, match=f"not a number at step 2 of stage {stage}") as caught:
        train(replace(job, resume=True))
    assert caught.value.exit_code == 1 and str(job.work) in str(caught.value)
    assert (job.work / STATE).read_bytes() == before


def test_parameters_that_are_not_numbers_are_never_saved(
    job: TrainJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A loss may be finite while its gradient is not."""
    stop_at(job, "motion", 2)
    before = (job.work / STATE).read_bytes()
    step = trainer._Training._step

    def poisoned(self: Any, stage: Any, at: int, progress: float) -> Any:
        result = step(self, stage, at, progress)
        with torch.no_grad():
            self.head.canonical["means"][0, 0] = float("nan")
        return result

    monkeypatch.setattr(trainer._Training, "_step", poisoned)
    monkeypatch.setattr(trainer, "SAVE_SECONDS", 0.0)
    with pytest.raises(TrainingError, match="not a number"):
        train(replace(job, resume=True))
    assert (job.work / STATE).read_bytes() == before


def full_disk(monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    """Files whose names contain `suffix` can no longer be written."""
    opened = Path.open

    def refuse(self: Path, mode: str = "r", *args: Any, **options: Any) -> Any:
        if suffix in self.name and ("w" in mode or "a" in mode or "x" in mode):
            raise OSError(errno.ENOSPC, "No space left on device")
        return opened(self, mode, *args, **options)

    monkeypatch.setattr(Path, "open", refuse)


def test_a_full_disk_keeps_the_old_state(job: TrainJob, monkeypatch: pytest.MonkeyPatch) -> None:
    stop_at(job, "static", 2)
    before = (job.work / STATE).read_bytes()
    full_disk(monkeypatch, STATE)
    with pytest.raises(OutputError, match="No space left"):
        train(replace(job, resume=True))
    assert (job.work / STATE).read_bytes() == before
    monkeypatch.undo()
    assert sorted(path.name for path in job.work.iterdir()) == [LOG, STATE]
    train(replace(job, resume=True))
    assert job.out.is_file()


def test_a_full_disk_at_the_very_end_loses_no_step(
    job: TrainJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    full_disk(monkeypatch, job.out.name)
    with pytest.raises(OutputError):
        train(job)
    monkeypatch.undo()
    assert not job.out.exists()
    events = train(replace(job, resume=True))
    assert all(event["step"] == 6 for event in events if event["event"] == "progress")
    assert job.out.is_file()


def test_a_log_that_cannot_be_written_ends_nothing(
    job: TrainJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    full_disk(monkeypatch, LOG)
    events = train(job)
    notes = [event["text"] for event in events if event["event"] == "note"]
    assert sum("without it" in note for note in notes) == 1
    assert events[-1]["event"] == "done"


def test_places_that_cannot_be_written_are_reported_at_once(job: TrainJob) -> None:
    with pytest.raises(OutputError, match="does not exist"):
        train(replace(job, out=job.out.parent / "nowhere" / "head.egs"))
    with pytest.raises(OutputError, match="cannot be made"):
        train(replace(job, work=job.out.parent / "nowhere" / "work"))
    (job.out.parent / "file").touch()
    with pytest.raises(OutputError, match="cannot be made"):
        train(replace(job, work=job.out.parent / "file"))
    job.out.mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        train(job)


def test_inputs_that_are_not_there(job: TrainJob) -> None:
    with pytest.raises(DatasetError):
        train(replace(job, dataset=job.dataset / "nowhere"))
    with pytest.raises(ArgumentError):
        train(replace(job, rows="some"))
    with pytest.raises(ArgumentError):
        train(replace(job, device="abacus"))
    with pytest.raises(InputError):
        train(replace(job, init=job.dataset / "nowhere.ply"))
    assert not (job.work / STATE).exists()


def test_minutes_end_it_in_about_that_time_with_an_avatar(
    job: TrainJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each reading of the clock takes 50 ms, and nothing else takes time."""
    clock = Clock()
    began = clock()
    fake = SimpleNamespace(monotonic=lambda: clock.advance(0.05) or clock())
    for module in (schedule, trainer, events_module):
        monkeypatch.setattr(module, "time", fake)
    monkeypatch.setattr(trainer, "Clock", lambda: schedule.Clock({}, clock()))
    config = replace(SMALL, minutes=0.1, static_steps=10**6, lips_steps=10**6, motion_steps=10**6)
    events = train(replace(job, config=config))
    assert 6 < clock() - began < 10
    progress = [event for event in events if event["event"] == "progress"]
    assert {event["stage"] for event in progress} == {"static", "lips", "motion"}
    assert all(event["remaining"] <= 6 for event in progress)
    seconds = load_avatar(job.out).provenance["seconds"]
    assert 3 < seconds["motion"] < 6.5 and 0 < seconds["lips"] < seconds["motion"]


def test_the_avatar_records_how_it_was_made(job: TrainJob) -> None:
    events = train(replace(job, name="Ada", licence="hers", rows="all"))
    avatar = load_avatar(job.out)
    assert (avatar.name, avatar.licence) == ("Ada", "hers")
    assert avatar.provenance["settings"]["motion_steps"] == 6
    assert avatar.provenance["rows"] == "all" and "psnr" not in avatar.provenance
    assert avatar.features is not None and avatar.features.window == 4
    assert avatar.track is not None and len(avatar.track) == 80
    assert np.isfinite(events[-1]["psnr"])
    lines = [json.loads(line) for line in (job.work / LOG).read_text().splitlines()]
    assert [line["event"] for line in lines] == [event["event"] for event in events]


def test_starting_anew_keeps_the_earlier_state(job: TrainJob) -> None:
    train(job)
    before = (job.work / STATE).read_bytes()
    notes = [str(event.get("text")) for event in train(job)]
    assert (job.work / EARLIER_STATE).read_bytes() == before
    assert any(EARLIER_STATE in text for text in notes)
