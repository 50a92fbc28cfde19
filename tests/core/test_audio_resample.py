"""Resampling: scipy is the oracle, and the blocks that the sound is cut into change nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from core.audio import resample as module
from core.audio.resample import resample, resampled_length

TOLERANCE = 1e-6  # asked for: 1e-5


def noise(length: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).uniform(-1, 1, length).astype(np.float32)


def resampled(samples: NDArray[np.float32], rate: int, to: int = 16000) -> NDArray[np.float32]:
    return resample(lambda start, stop: samples[start:stop], len(samples), rate, to)


def by_scipy(samples: NDArray[np.float32], rate: int, to: int = 16000) -> NDArray[np.float64]:
    signal = pytest.importorskip("scipy.signal", reason="needs scipy, the oracle of resampling")
    divisor = math.gcd(rate, to)
    if not len(samples):  # scipy refuses an empty sound
        return np.zeros(0)
    result: NDArray[np.float64] = signal.resample_poly(
        samples.astype(np.float64), to // divisor, rate // divisor
    )
    return result


@pytest.mark.parametrize("length", [0, 1, 7, 20011])
@pytest.mark.parametrize("rate", [8000, 11025, 16001, 22050, 32000, 44100, 48000, 96000, 192000])
def test_equals_scipy(rate: int, length: int) -> None:
    samples = noise(length)
    ours, theirs = resampled(samples, rate), by_scipy(samples, rate)
    assert ours.dtype == np.float32
    assert ours.shape == theirs.shape == (resampled_length(length, rate, 16000),)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=TOLERANCE)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 400),
    st.integers(1, 400),
    st.integers(0, 3000),
    st.sampled_from([97, 1000, 1 << 19]),
)
def test_any_rates_in_any_blocks_equal_scipy(rate: int, to: int, length: int, block: int) -> None:
    samples = noise(length, seed=length)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK", block)
        ours = resampled(samples, rate, to)
    theirs = by_scipy(samples, rate, to)
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=2 * TOLERANCE)


def test_equal_rates_keep_every_bit() -> None:
    samples = np.array([0.1, -0.0, 3.5, -1e-42, 0.7], np.float32)
    assert resampled(samples, 16000).tobytes() == samples.tobytes()


@pytest.mark.parametrize("rate", [16000, 44100, 48000])
def test_reads_bounded_pieces_inside_the_sound(rate: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", 5000)
    samples = noise(30000)
    pieces: list[tuple[int, int]] = []

    def read(start: int, stop: int) -> NDArray[np.float32]:
        pieces.append((start, stop))
        return samples[start:stop]

    out = resample(read, len(samples), rate, 16000)
    assert len(pieces) > 4
    assert all(0 <= start <= stop <= len(samples) for start, stop in pieces)
    assert max(stop - start for start, stop in pieces) < 5200  # a block and the filter's reach
    np.testing.assert_allclose(out, by_scipy(samples, rate), rtol=0, atol=TOLERANCE)


def test_a_tone_stays_where_it_is() -> None:
    seconds_in, seconds_out = np.arange(44100) / 44100, np.arange(16000) / 16000
    tone = np.sin(2 * np.pi * 440 * seconds_in).astype(np.float32)
    inner = slice(200, -200)  # the ends ring: zeros lie beyond them
    expected = np.sin(2 * np.pi * 440 * seconds_out)
    np.testing.assert_allclose(resampled(tone, 44100)[inner], expected[inner], rtol=0, atol=2e-3)
