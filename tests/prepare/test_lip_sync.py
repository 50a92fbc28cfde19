"""The sound's offset from the lips: found to a fraction of a frame, or not claimed."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.audio.files import decoded
from core.audio.phonetic import CORE, phonetic, pieces
from core.errors import ArgumentError, CancelledError
from core.prepare import lip_features
from core.prepare.lip_features import load_voice, voice_features
from core.prepare.lip_sync import LEAD, Offset, belongs, find_offset, mouth_measures
from core.prepare.options import PrepareOptions
from core.prepare.step import Step
from core.prepare.voice import wav_bytes
from core.records.arrays import Float32
from core.records.voice import RATE, Samples, Waveform

CLIP = Path(__file__).resolve().parents[3] / "shared" / "talker_clip"
FRAMES = 500


def made_up(seconds: float, *, noise: float = 1.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(500, 3) measures and (1001, 22) features that move them, heard by `seconds` later."""
    random = np.random.default_rng(seed)
    fine = random.standard_normal((1300 * 10, 22))  # at 500 a second
    kernel = np.hanning(60)[:, None]
    smooth = np.stack([np.convolve(column, kernel[:, 0], "same") for column in fine.T], 1)
    smooth /= smooth.std(0)
    mouth = smooth[1000:] @ random.standard_normal((22, 3)) / 22**0.5
    shift = round(500 * (seconds + LEAD))
    features = smooth[1000 - shift :: 10][: 2 * FRAMES + 1]
    measures = mouth[::20][:FRAMES] + noise * random.standard_normal((FRAMES, 3))
    return measures, features.astype(np.float32)


ALL = np.ones(FRAMES, bool)


@pytest.mark.parametrize("seconds", [-0.31, -0.04, 0.0, 0.126, 0.24, 0.8])
def test_a_known_offset_is_found(seconds: float) -> None:
    found = find_offset(*_with(made_up(seconds)))
    assert abs(found.seconds - seconds) < 0.008
    assert found.confidence > 0.9 and found.belongs is True


def _with(
    values: tuple[np.ndarray, np.ndarray], valid: np.ndarray = ALL
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return values[0], valid, values[1]


@pytest.mark.parametrize("seed", range(4))
def test_a_sound_of_somebody_else_does_not_belong(seed: int) -> None:
    measures, _ = made_up(0.0, seed=seed)
    _, features = made_up(0.0, seed=seed + 10)
    found = find_offset(measures, ALL, features)
    assert found.belongs is False and found.confidence < 0.1


@pytest.mark.parametrize(
    ("correlation", "spread", "seconds", "expected"),
    [
        (0.29, 0.095, 12.0, None),  # a person with a beard, own sound
        (0.20, 0.085, 8.0, None),
        (0.36, 0.075, 20.0, True),
        (0.60, 0.08, 12.0, True),
        (0.12, 0.05, 30.0, False),  # swapped sounds
        (0.15, 0.08, 16.0, False),
        (0.15, 0.08, 9.0, None),
        (0.27, 0.09, 12.0, None),
    ],
)
def test_too_little_evidence_is_not_certain(
    correlation: float, spread: float, seconds: float, expected: bool | None
) -> None:
    """Measured values. A weak correlation counts against the sound only where chance varies little,
    as it does in long clips."""
    assert belongs(correlation, spread * np.array([-1.0, 1.0]), seconds) is expected


def test_lips_that_follow_their_own_sound_weakly_are_not_certain() -> None:
    own, features = made_up(0.0, noise=0.0, seed=1)
    other, _ = made_up(0.0, noise=0.0, seed=21)
    found = find_offset((own + 2.6 * other)[:260], ALL[:260], features[:521])
    assert found.belongs is None and found.confidence == 0


def test_a_short_clip_says_nothing() -> None:
    measures, features = made_up(0.2)
    found = find_offset(measures[:100], ALL[:100], features[:201])
    assert found == Offset(0.0, 0.0, 0.0, None)
    _, other = made_up(0.0, seed=9)
    assert find_offset(measures[:200], ALL[:200], other[:401]).belongs is None


def test_frames_without_a_face_do_not_count() -> None:
    measures, features = made_up(0.2, noise=0.3)
    valid = ALL.copy()
    valid[100:200] = False
    measures[100:200] = 50
    found = find_offset(np.where(valid[:, None], measures, 0), valid, features)
    assert abs(found.seconds - 0.2) < 0.01 and found.confidence == 1.0


def test_still_lips_and_silence_are_no_error() -> None:
    measures, features = made_up(0.0)
    assert find_offset(0 * measures, ALL, features).belongs is False
    assert find_offset(measures, ALL, 0 * features).belongs is False
    assert np.isfinite(find_offset(measures, ALL, features[:300]).seconds)


def test_a_turned_head_has_the_same_mouth() -> None:
    random = np.random.default_rng(0)
    mesh = random.uniform(0, 100, (1, 478, 3))
    angle = 0.6
    turn = np.array(
        [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
    )
    np.testing.assert_allclose(mouth_measures(1.7 * mesh @ turn), mouth_measures(mesh))


def test_the_offset_of_a_clip_is_found_at_any_size() -> None:
    """A measure that pulls large offsets towards zero would mend them in part."""
    if not CLIP.is_dir():
        pytest.skip(f"needs the synthetic clip in {CLIP}")
    rows = range(400)
    points = np.stack([np.loadtxt(CLIP / f"ori_imgs/{row}.lms")[:, :2] for row in rows])

    def apart(a: int, b: int) -> Any:
        return np.linalg.norm(points[:, a] - points[:, b], axis=1) / np.linalg.norm(
            points[:, 36] - points[:, 45], axis=1
        )

    measures = np.stack([apart(62, 66), apart(48, 54), apart(8, 33)], 1)
    samples = decoded(CLIP / "aud.wav").samples[: len(rows) * 640]
    errors = []
    for milliseconds in (-400, -210, -50, 0, 110, 300, 400):
        moved = np.zeros_like(samples)
        late = 16 * milliseconds
        moved[max(late, 0) : len(moved) + min(late, 0)] = samples[
            max(-late, 0) : len(samples) - max(late, 0)
        ]
        found = find_offset(measures, np.ones(len(rows), bool), phonetic(moved))
        assert found.confidence == 1.0 and found.belongs is True
        errors.append(1000 * found.seconds - milliseconds)
    assert np.abs(errors).max() < 40  # one frame: what a clip in sync may show
    assert np.ptp(errors) < 10  # whatever the offset


def test_only_sure_and_large_offsets_are_mended() -> None:
    from core.prepare.voice import _applied

    def found(seconds: float, confidence: float) -> float:
        return _applied(Offset(seconds, confidence, 0.5, True), None)

    assert (found(0.22, 0.9), found(0.06, 0.9), found(0.22, 0.3)) == (0.22, 0.0, 0.0)
    assert _applied(Offset(0.22, 0.9, 0.5, True), 0.0) == 0.0
    assert _applied(Offset(0.0, 0.0, 0.0, None), -120.0) == -0.12


def test_an_offset_that_is_none() -> None:
    from core.commands.prepare import _offset

    assert _offset("auto") is None and _offset("-80") == -80
    with pytest.raises(ArgumentError, match="neither auto nor a number"):
        _offset("soon")
    for value in (20000.0, float("nan")):
        with pytest.raises(ArgumentError, match="--sound-offset"):
            PrepareOptions(sound_offset=value)


def test_features_are_made_in_parts_that_a_stopped_run_keeps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They have the same bits as those of the whole sound at once."""
    samples = np.random.default_rng(0).normal(0, 0.1, 20 * RATE).astype(np.float32)
    begin, stop = RATE, 19 * RATE
    stopped = [False]
    step = Step(
        Path("film.mp4"), tmp_path, PrepareOptions(), "lips", lambda *seen: None,
        lambda text: None, lambda: stopped[0],
    )  # fmt: skip
    step.make("prepare")
    (tmp_path / "prepare" / lip_features.VOICE).write_bytes(wav_bytes(Waveform(samples)))
    monkeypatch.setattr(lip_features, "PART", CORE)
    made: list[range] = []

    def counted(sound: Samples, part: range) -> Generator[float, None, Float32]:
        made.append(part)
        stopped[0] = len(made) == 1
        return pieces(sound, part)

    monkeypatch.setattr(lip_features, "pieces", counted)
    with pytest.raises(CancelledError):
        voice_features(step, begin, stop, False)
    assert made == [range(CORE)]
    stopped[0] = False
    found = voice_features(step, begin, stop, True)
    assert made == [range(CORE), range(CORE, 2 * CORE), range(2 * CORE, 901)]
    whole = phonetic(load_voice(step).samples[begin:stop])
    assert np.array_equal(found, whole)
