"""From samples to the waveform: mono, 16 kHz, and an error for bad samples."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from core.audio.waveform import MAX_SECONDS, check_layout, from_samples
from core.errors import AudioError
from core.records.voice import RATE


def test_16_khz_mono_is_untouched() -> None:
    samples = np.random.default_rng(1).normal(size=70000).astype(np.float32)
    waveform = from_samples(samples, RATE)
    assert waveform.samples.tobytes() == samples.tobytes()
    assert waveform.rate == RATE
    assert waveform.seconds == 70000 / 16000
    assert from_samples(samples[:, None], 16000.0).samples.tobytes() == samples.tobytes()


def test_channels_become_their_mean() -> None:
    stereo = np.array([[0.5, -0.5], [1.0, 0.0], [0.25, 0.75]], np.float32)
    assert from_samples(stereo, RATE).samples.tolist() == [0.0, 0.5, 0.5]


def test_mean_comes_before_the_rate() -> None:
    stereo = np.random.default_rng(2).uniform(-1, 1, (9000, 2)).astype(np.float32)
    mixed = stereo.mean(1, dtype=np.float64).astype(np.float32)
    waveform, alone = from_samples(stereo, 48000), from_samples(mixed, 48000)
    assert len(waveform) == 3000
    assert np.array_equal(waveform.samples, alone.samples)


def test_an_empty_sound_is_legal() -> None:
    assert len(from_samples(np.zeros(0, np.float32), 48000)) == 0


@pytest.mark.parametrize(
    ("samples", "rate", "message"),
    [
        (np.zeros(3, np.int16), RATE, "int16"),
        (np.zeros((2, 2, 2), np.float32), RATE, "shape"),
        (np.float32(1), RATE, "shape"),
        (np.zeros((3, 0), np.float32), RATE, "0 channels"),
        (np.zeros((3, 65), np.float32), RATE, "65 channels"),
        (np.zeros(3, np.float32), 0, "0 samples a second"),
        (np.zeros(3, np.float32), -8000, "samples a second"),
        (np.zeros(3, np.float32), 22050.5, "whole number"),
        (np.zeros(3, np.float32), math.nan, "whole number"),
        (np.zeros(3, np.float32), math.inf, "whole number"),
        (np.array([0, np.nan], np.float32), RATE, "finite"),
        (np.array([0, np.inf], np.float32), 44100, "finite"),
        (np.array([0, 1e300]), 44100, "finite"),
    ],
)
def test_impossible_sounds_say_why(samples: Any, rate: float, message: str) -> None:
    with pytest.raises(AudioError, match=message) as caught:
        from_samples(samples, rate, "voice.wav")
    assert "voice.wav" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_length_is_limited_before_anything_is_read() -> None:
    assert check_layout(MAX_SECONDS * 48000, 2, 48000, "long.wav") == 48000
    with pytest.raises(AudioError, match="hours"):
        check_layout(MAX_SECONDS * 48000 + 1, 2, 48000, "long.wav")
