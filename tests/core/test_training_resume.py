"""An interrupted training gives the same bits as one without interruption."""

from __future__ import annotations

import json
import shutil
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.errors import ArgumentError, InputError
from core.formats.safetensors import read_tensors, write_tensors
from core.training.config import TrainConfig
from core.training.folder import STATE
from core.training.job import STOP, TrainJob
from tests.support.training_runs import (
    OFFICIAL,
    SMALL,
    job_of,
    make_talking_clip,
    state_of,
    stop_at,
    train,
)

# Long enough to densify: from step 50 on, where the first stage has more than 67.
LONG = replace(SMALL, static_steps=110, lips_steps=8, motion_steps=8)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_talking_clip(tmp_path_factory.mktemp("talking"))


@pytest.fixture(scope="module")
def whole(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainJob:
    """A training without interruption."""
    job = job_of(clip, tmp_path_factory.mktemp("whole"), LONG)
    events = train(job)
    counts = [event["gaussians"] for event in events if event["event"] == "progress"]
    assert counts[-1] > counts[0]  # it densified
    return job


@pytest.fixture(scope="module")
def left(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The work folder of one that was stopped."""
    job = job_of(clip, tmp_path_factory.mktemp("left"))
    stop_at(job, "motion", 3)
    return job.work


@pytest.fixture
def stopped(clip: Path, left: Path, tmp_path: Path) -> TrainJob:
    job = job_of(clip, tmp_path / "stopped", resume=True)
    shutil.copytree(left, job.work)
    return job


def assert_same(one: TrainJob, other: TrainJob) -> None:
    (tensors, metadata), (others, _) = state_of(one), state_of(other)
    assert tensors.keys() == others.keys()
    assert any(name.startswith("average/") for name in tensors)
    for name, value in tensors.items():
        assert np.array_equal(value, others[name]), name
    assert json.loads(metadata["place"])["stage"] == "motion"
    avatar, other_avatar = (read_tensors(job.out)[0] for job in (one, other))
    assert avatar.keys() == other_avatar.keys()
    assert all(np.array_equal(value, other_avatar[name]) for name, value in avatar.items())


@pytest.mark.parametrize(
    ("stage", "step"),
    [("static", 40), ("static", 70), ("lips", 5), ("motion", 0), ("motion", 5)],
)
def test_stopped_and_resumed_is_the_same_to_the_bit(
    clip: Path, whole: TrainJob, tmp_path: Path, stage: str, step: int
) -> None:
    job = job_of(clip, tmp_path / "parts", LONG)
    stop_at(job, stage, step)
    assert not job.out.exists() and not (job.work / STOP).exists()
    place = json.loads(state_of(job)[1]["place"])
    assert (place["stage"], place["step"]) == (stage, step)
    events = train(replace(job, resume=True))
    assert events[0]["resumed"] is True
    assert_same(job, whole)


@pytest.mark.parametrize(
    "config", [OFFICIAL, replace(SMALL, static_init=False), replace(SMALL, esaa=False, kan=False)]
)
def test_so_do_the_other_arrangements(clip: Path, tmp_path: Path, config: TrainConfig) -> None:
    one = job_of(clip, tmp_path / "one", config)
    train(one)
    other = job_of(clip, tmp_path / "other", config)
    stop_at(other, "motion", 3)
    train(replace(other, resume=True))
    assert_same(other, one)


def test_a_second_stop_finds_all_that_a_first_one_does(clip: Path, tmp_path: Path) -> None:
    """The sums of density control, too, which are used in few steps only."""
    one, other = job_of(clip, tmp_path / "one"), job_of(clip, tmp_path / "other")
    stop_at(one, "static", 5)
    stop_at(other, "static", 3)
    stop_at(replace(other, resume=True), "static", 5)
    tensors, others = state_of(one)[0], state_of(other)[0]
    assert tensors["density/seen"].max() == 5 and tensors["density/pull"].any()
    assert tensors.keys() == others.keys()
    assert all(np.array_equal(value, others[name]) for name, value in tensors.items())


def test_a_finished_training_resumed_writes_the_same_avatar_again(
    whole: TrainJob, tmp_path: Path
) -> None:
    before = whole.out.read_bytes()
    again = replace(whole, resume=True, out=tmp_path / whole.out.name)
    events = train(again)
    assert [event["event"] for event in events if event["event"] == "progress"] == ["progress"]
    tensors, old = read_tensors(again.out)[0], read_tensors(whole.out)[0]
    assert all(np.array_equal(tensors[name], value) for name, value in old.items())
    assert whole.out.read_bytes() == before


@pytest.mark.parametrize(
    ("setting", "value"),
    [("motion_steps", 7), ("seed", 1), ("kan", False), ("batch", 2), ("features", "deepspeech")],
)
def test_other_settings_are_refused_by_name(stopped: TrainJob, setting: str, value: object) -> None:
    other = replace(stopped, config=replace(stopped.config, **{setting: value}))
    if setting == "features":  # the dataset has none of them: the dataset speaks first
        with pytest.raises(InputError):
            train(other)
        return
    with pytest.raises(InputError, match=rf"{setting} = .*, not {value!r}"):
        train(other)


def test_time_and_previews_may_change(stopped: TrainJob) -> None:
    config = replace(stopped.config, minutes=10.0, preview_every=5)
    stop_at(replace(stopped, config=config), "motion", 6)


def test_a_setting_that_the_state_lacks_had_its_default(stopped: TrainJob) -> None:
    tensors, metadata = state_of(stopped)
    settings = json.loads(metadata["config"])
    del settings["static_init"], settings["losses"]["lips"]
    metadata["config"] = json.dumps(settings)
    write_tensors(stopped.work / STATE, tensors, metadata)
    train(stopped)


def test_a_state_from_before_the_hash_tables_has_dense_planes(clip: Path, tmp_path: Path) -> None:
    job = job_of(clip, tmp_path / "job", replace(SMALL, hash=False))
    stop_at(job, "lips", 2)
    job = replace(job, resume=True)
    tensors, metadata = state_of(job)
    settings = json.loads(metadata["config"])
    del settings["hash"]
    write_tensors(job.work / STATE, tensors, {**metadata, "config": json.dumps(settings)})
    with pytest.raises(InputError, match="hash = False, not True"):
        train(replace(job, config=SMALL))
    train(job)


def test_other_frames_are_refused(stopped: TrainJob) -> None:
    with pytest.raises(InputError, match="--rows"):
        train(replace(stopped, rows="all"))


def test_nothing_to_resume(clip: Path, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="has no training"):
        train(job_of(clip, tmp_path / "new", resume=True))


def test_damaged_states_are_refused(stopped: TrainJob) -> None:
    path = stopped.work / STATE
    whole = path.read_bytes()
    (header,) = struct.unpack("<Q", whole[:8])
    rng = np.random.default_rng(0)
    cases = [b"", whole[:5], whole[: len(whole) // 2], whole[:-1], whole + b"x"]
    for _ in range(6):  # bits of the header: names, shapes, places
        flipped = bytearray(whole)
        flipped[rng.integers(0, 8 + header)] ^= 0x80
        cases.append(bytes(flipped))
    for _ in range(4):  # and of the numbers
        flipped = bytearray(whole)
        flipped[rng.integers(8 + header, len(whole))] ^= 0x01
        cases.append(bytes(flipped))
    for data in cases:
        path.write_bytes(data)
        with pytest.raises(InputError):
            train(stopped)
        assert path.read_bytes() == data


PLACES = [
    {"stage": "dreaming"}, {"stage": 5}, {"step": -1}, {"step": "many"}, {"degree": 9},
    {"averaged": -2}, {"seconds": {"static": -1.0}}, {"seconds": []}, None,
]  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
def test_hostile_places_are_refused(stopped: TrainJob, place: dict[str, object] | None) -> None:
    tensors, metadata = state_of(stopped)
    old = json.loads(metadata["place"])
    metadata["place"] = json.dumps(None if place is None else {**old, **place})
    write_tensors(stopped.work / STATE, tensors, metadata)
    with pytest.raises(InputError, match="cannot be resumed"):
        train(stopped)


def test_hostile_tensors_are_refused(stopped: TrainJob) -> None:
    tensors, metadata = state_of(stopped)
    means, weight = "head/canonical.means", "head/network.decoder.0.bias"
    average = "average/canonical.means"
    moment = "optimiser/canonical.means/exp_avg"
    nan = np.full_like(tensors[weight], np.nan)
    changes: list[dict[str, np.ndarray | None]] = [
        {means: None},
        {means: tensors[means][:-1]},
        {means: tensors[means].astype(np.float16)},
        {means: np.zeros((0, 3), np.float32)},
        {weight: None},
        {weight: tensors[weight][:-1]},
        {weight: nan},
        {average: None},
        {average: tensors[average][:5]},
        {moment: tensors[moment][:5]},
        {"optimiser/nobody/exp_avg": tensors[moment]},
        {"elsewhere/x": tensors[moment]},
        {"head/canonical.../x": tensors[moment]},
        {"plain": tensors[moment]},
    ]
    for change in changes:
        changed = {k: v for k, v in {**tensors, **change}.items() if v is not None}
        write_tensors(stopped.work / STATE, changed, metadata)
        with pytest.raises(InputError):
            train(stopped)
    write_tensors(stopped.work / STATE, tensors, {**metadata, "format": "other"})
    with pytest.raises(InputError, match="not a training state"):
        train(stopped)
