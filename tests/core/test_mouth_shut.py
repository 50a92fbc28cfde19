"""Breath, music and rooms leave the mouth at rest, and lips close for m, b and p."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.audio import phonetic
from core.audio.extractor import computed_spec
from core.audio.features import track_for, track_from_waveform
from core.audio.files import load_waveform
from core.audio.mouth import chance, shut_numbers
from core.avatar.file import load_avatar
from core.errors import FeatureMismatchError
from core.formats.safetensors import write_tensors
from core.records.voice import RATE, Waveform
from core.training import mouth_shut
from core.training.mouth_layers import reading
from core.training.mouth_shut import (
    AHEAD,
    BINS,
    STEEP,
    Detected,
    Detectors,
    ahead_of,
    closed_shape,
    load_detectors,
    shut_at,
)

ASSETS = Path(__file__).resolve().parents[2] / "egstalker_blender" / "assets"
SECONDS = 6
TIME = np.arange(SECONDS * RATE) / RATE


def chords() -> np.ndarray:
    parts = []
    for pitches in ((262, 330, 392), (349, 440, 523), (392, 494, 587)):
        time = TIME[: 2 * RATE]
        waves = [np.sin(2 * np.pi * p * k * time) / k for p in pitches for k in (1, 2, 3, 4)]
        parts.append(0.05 * np.exp(-time) * np.sum(waves, axis=0))
    return np.concatenate(parts)


def breath() -> np.ndarray:
    noise = np.random.default_rng(0).normal(size=len(TIME))
    noise = np.convolve(noise, np.ones(6) / 6, "same")  # without its highest frequencies
    return 0.05 * noise * (0.5 - 0.5 * np.cos(2 * np.pi * TIME / 2.5)) ** 2


def noise() -> np.ndarray:
    return 0.01 * np.random.default_rng(1).normal(size=len(TIME))


def voices(samples: np.ndarray) -> np.ndarray:
    """(F,) the chance that somebody speaks."""
    detectors = load_detectors()
    spec = reading(computed_spec("phonetic"), detectors.weights)
    track = track_from_waveform(Waveform(samples.astype(np.float32)), spec)
    means = track.windows[track.margin : -track.margin, :, phonetic.DIM].mean(axis=1)
    return chance(means.astype(np.float64) + detectors.bias[0])


@pytest.mark.parametrize("sound", [chords, breath, noise])
def test_nobody_speaks_in_chords_breath_and_noise(sound: object) -> None:
    assert callable(sound)
    assert voices(sound()).max() < 0.2


def test_somebody_speaks_in_speech() -> None:
    """At every level of the recording, wherever it is not quiet."""
    speech = load_waveform(ASSETS / "demo.wav").samples
    rows = speech[: len(speech) // 640 * 640].reshape(-1, 640)  # of 40 ms
    sizes = np.sqrt((rows**2).mean(axis=1))
    loud = sizes > 0.1 * sizes.max()
    assert loud.mean() > 0.4
    for level in (1.0, 0.03):
        assert np.mean(voices(level * speech)[: len(loud)][loud] > 0.5) > 0.97


@pytest.mark.parametrize("sound", [chords, breath, noise])
def test_the_bundled_avatar_rests_without_speech(sound: object) -> None:
    assert callable(sound)
    avatar = load_avatar(ASSETS / "demo.egs")
    quiet, speech = (
        track_for(avatar, wave).windows[:, 0, 0].std()
        for wave in (Waveform(sound().astype(np.float32)), load_waveform(ASSETS / "demo.wav"))
    )
    assert quiet < 0.1 * speech


def film(ahead: int) -> tuple[np.ndarray, np.ndarray, Detected]:
    """A guess that blurs every closing of the lips, the gap with them, and detectors that show them
    at two steps of the window."""
    rng = np.random.default_rng(2)
    lips = rng.random(400) < 0.15
    guess = rng.normal(size=(400, 2))
    numbers = guess.copy()
    numbers[lips, 0] = -2.5
    values = np.zeros((400, BINS, 2))
    values[..., 0] = 9.0
    for step in range(BINS):
        away = step - ahead if step < ahead else max(step - ahead - 1, 0)
        shown = np.roll(lips, 3 * away)  # other steps show other frames
        values[:, step, 1] = np.where(shown, 9.0, -9.0)
    return guess, numbers, Detected(Detectors(np.zeros((2, 1), np.float32), np.zeros(2)), values)


@pytest.mark.parametrize("ahead", AHEAD)
def test_the_film_says_how_long_before_their_sound_its_lips_close(ahead: int) -> None:
    guess, numbers, detected = film(ahead)
    assert ahead_of(detected, guess, numbers) == ahead
    closed = closed_shape(numbers)
    assert closed[0] == pytest.approx(-2.5, abs=0.1)
    shut = shut_at(detected, ahead, closed, dim=24, first=22)
    weights = np.reshape(shut.weights, (2, BINS, 24))
    assert weights[1].any(axis=1).nonzero()[0].tolist() == [ahead, ahead + 1]
    assert weights[0, :, 22].sum() == pytest.approx(1) and weights[1, :, 23].sum() == STEEP
    assert not weights[:, :, :22].any()
    read = np.concatenate([np.zeros((400, BINS, 22)), detected.values], axis=2)
    logits = np.einsum("rbd,kbd->rk", read, weights) + shut.bias
    np.testing.assert_allclose(logits, detected.logits(ahead), atol=1e-9)
    shown = shut_numbers(guess, logits, shut.closed)
    assert np.abs(shown[:, 0] - numbers[:, 0]).max() < 0.1
    np.testing.assert_allclose(shown[:, 1], guess[:, 1], atol=0.01)  # lips alone close


def test_a_voice_that_the_detectors_do_not_know_is_left_to_the_regression() -> None:
    guess, numbers, detected = film(AHEAD[0])
    detected.values[::2, :, 0] = -9.0  # nobody seems to speak in half of the frames
    assert ahead_of(detected, guess, numbers) is None


def test_a_damaged_file_and_one_of_another_network_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "shuts.safetensors"
    monkeypatch.setattr(mouth_shut, "PATH", path)
    monkeypatch.setattr(mouth_shut, "load_detectors", load_detectors.__wrapped__)
    with pytest.raises(FeatureMismatchError, match="cannot be read"):
        mouth_shut.load_detectors()
    tensors = {"weights": np.zeros((2, 576), np.float32), "biases": np.zeros(2, np.float32)}
    write_tensors(path, tensors, {"network": "another"})
    with pytest.raises(FeatureMismatchError, match="does not fit"):
        mouth_shut.load_detectors()
