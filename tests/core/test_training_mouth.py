"""The numbers of the mouth in a training: measured, heard, learnt, resumed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.audio.features import track_for, track_from_waveform
from core.avatar.file import load_avatar
from core.dataset.landmarks import LOWER_INNER, UPPER_INNER
from core.dataset.load import load_clip
from core.dataset.sound import sound_of, training_track
from core.training import mouth
from core.training.batches import MOUTH_NOISE, Batches
from core.training.config import TrainConfig
from core.training.mouth import HeardMouth, heard_mouth, mouth_numbers
from core.training.ridge import PENALTIES, Penalised, ridge, unseen
from tests.support.talking_clip import TRAIN
from tests.support.training_runs import (
    OFFICIAL,
    SMALL,
    job_of,
    make_talking_clip,
    state_of,
    stop_at,
    train,
)

NONE = np.zeros((0, 5))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_talking_clip(tmp_path_factory.mktemp("talking"))


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """The small clip is long enough."""
    monkeypatch.setattr(mouth, "MIN_ROWS", 40)


def test_a_row_of_weight_two_counts_twice() -> None:
    rng = np.random.default_rng(0)
    inputs, wanted = rng.normal(size=(30, 5)), rng.normal(size=30)
    more, at_rest = rng.normal(size=(4, 5)), rng.normal(size=4)
    weights, bias = ridge(Penalised(inputs, wanted, more, at_rest, 2.0), 3.0)
    twice = Penalised(
        np.concatenate([inputs, more, more]), np.concatenate([wanted, at_rest, at_rest]),
        NONE, np.zeros(0), 1.0,
    )  # fmt: skip
    again, same = ridge(twice, 3.0)
    np.testing.assert_allclose(weights, again)
    assert bias == pytest.approx(same)
    # At the minimum of the squared error plus the penalty, its gradient is 0.
    error = twice.inputs @ weights + bias - twice.wanted
    np.testing.assert_allclose(twice.inputs.T @ error + 3.0 * weights, 0, atol=1e-9)
    assert error.sum() == pytest.approx(0, abs=1e-9)


def test_what_cannot_be_known_gets_the_largest_penalty() -> None:
    rng = np.random.default_rng(1)
    inputs = rng.normal(size=(300, 5))
    chance = Penalised(inputs, rng.normal(size=300), NONE, np.zeros(0), 1.0)
    known = replace(chance, wanted=inputs @ [1.0, -1, 0.5, 0, 0])
    for samples, best in ((chance, len(PENALTIES) - 1), (known, 0)):
        guesses = unseen(samples, np.arange(300))
        assert ((guesses - samples.wanted) ** 2).mean(axis=1).argmin() == best
    assert np.corrcoef(guesses[0], known.wanted)[0, 1] > 0.99


def test_the_first_number_is_the_gap_and_the_others_do_not_contain_it() -> None:
    rng = np.random.default_rng(2)
    moved = 0.01 * rng.normal(size=(200, 68, 2))
    gap = rng.normal(size=200)
    moved[:, list(LOWER_INNER), 1] -= 0.2 * gap[:, None]
    numbers = mouth_numbers(moved)
    assert numbers is not None and np.corrcoef(numbers[:, 0], gap)[0, 1] > 0.99
    np.testing.assert_allclose(numbers.T @ numbers / 200, np.eye(4), atol=1e-9)
    moved[:, list(UPPER_INNER)] = moved[:, list(LOWER_INNER)]
    assert mouth_numbers(moved) is None


@pytest.mark.parametrize("kind", ["log-mel", "phonetic"])
def test_heard_numbers_are_those_of_the_avatar_and_shown_ones_the_measured(
    folder: Path, short: None, kind: str
) -> None:
    clip = load_clip(folder)
    track, spec = training_track(clip, kind)
    found = heard_mouth(clip, track, spec, clip.train_rows)
    assert isinstance(found, HeardMouth) and found.spec.values == 4
    own = track_from_waveform(sound_of(clip, []), found.spec)
    np.testing.assert_allclose(found.heard.windows, own.windows, atol=1e-5)
    assert found.heard.margin == own.margin
    differs = (found.shown.windows != found.heard.windows).any(axis=(1, 2))[5:-5]
    assert differs[:TRAIN].all() and not differs[TRAIN:].any()
    shown = found.shown.windows[5 : 5 + TRAIN, 0]
    np.testing.assert_allclose(shown.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(shown.std(axis=0), 1, atol=1e-5)
    # The lower lip of the clip falls as the sound's level rises.
    gap = (clip.landmarks[:TRAIN, 66] - clip.landmarks[:TRAIN, 62])[:, 1]
    assert np.corrcoef(shown[:, 0], gap)[0, 1] > 0.95
    assert found.correlation > 0.5
    heard = found.heard.windows[5 : 5 + TRAIN, 0, 0]
    assert np.corrcoef(heard, gap)[0, 1] > 0.5


def test_held_out_frames_teach_nothing(folder: Path, short: None) -> None:
    clip = load_clip(folder)
    track, spec = training_track(clip, "log-mel")
    wrong = clip.landmarks.copy()
    wrong[TRAIN:] += np.random.default_rng(0).normal(0, 9, wrong[TRAIN:].shape).astype(np.float32)
    found, other = (
        heard_mouth(each, track, spec, clip.train_rows)
        for each in (clip, replace(clip, landmarks=wrong))
    )
    assert isinstance(found, HeardMouth) and isinstance(other, HeardMouth)
    assert found.spec == other.spec


def test_numbers_get_noise_and_landmarks_poses_of_other_frames(folder: Path, short: None) -> None:
    clip = load_clip(folder)
    track, spec = training_track(clip, "log-mel")
    found = heard_mouth(clip, track, spec, clip.train_rows)
    assert isinstance(found, HeardMouth)
    batches = Batches(clip, found.shown, SMALL, clip.train_rows, "cpu", mouth=True)
    rows = np.arange(50)
    noise = batches.augmented_windows(rows, "lips", 3) - batches.windows(rows)
    assert float(noise.std()) == pytest.approx(MOUTH_NOISE, rel=0.1)
    poses, own = batches.landmark_poses(rows, 3), batches.poses[:50]
    assert float((poses == own).all(dim=1).float().mean()) < 0.2
    assert all(bool((batches.poses[:TRAIN] == pose).all(dim=1).any()) for pose in poses)
    plain = Batches(clip, track, SMALL, clip.train_rows, "cpu")
    assert bool((plain.landmark_poses(rows, 3) == own).all())


def test_training_hears_numbers_and_resumes_to_the_bit(
    folder: Path, short: None, tmp_path: Path
) -> None:
    one, other = (job_of(folder, tmp_path / name, SMALL) for name in ("one", "other"))
    events = train(one)
    notes = [event["text"] for event in events if event["event"] == "note"]
    assert any(note.startswith("lips from the sound, on unseen frames: 0.") for note in notes)
    avatar = load_avatar(one.out)
    assert avatar.features is not None and avatar.features.mouth is not None
    assert avatar.features.mouth.shut is None  # the clip's sound is no speech
    unlike = any("unlike speech" in note for note in notes)
    assert unlike == (avatar.features.kind == "phonetic")
    assert avatar.network is not None and avatar.frozen_gaussians is not None
    assert avatar.network.arrays["audio_net.encoder_conv.0.weight"].shape[1] == 4
    assert track_for(avatar, folder / "aud.wav").windows.shape[1:] == (1, 4)
    stop_at(other, "motion", 3)
    train(replace(other, resume=True))
    (tensors, _), (others, _) = state_of(one), state_of(other)
    assert all(np.array_equal(value, others[name]) for name, value in tensors.items())
    assert load_avatar(other.out).features == avatar.features


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (SMALL, "only 60 frames have landmarks, 100 are needed"),
        (replace(SMALL, mouth=False), None),
        (OFFICIAL, None),
    ],
)
def test_without_numbers_the_network_hears_the_features(
    folder: Path, tmp_path: Path, config: TrainConfig, reason: str | None
) -> None:
    few = replace(config, static_steps=1, lips_steps=min(1, config.lips_steps), motion_steps=1)
    job = job_of(folder, tmp_path, few)
    notes = [event["text"] for event in train(job) if event["event"] == "note"]
    avatar = load_avatar(job.out)
    assert avatar.features is not None and avatar.features.mouth is None
    told = [note for note in notes if "hears all sound features" in note]
    assert told == ([f"the network hears all sound features: {reason}"] if reason else [])
