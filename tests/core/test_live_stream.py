"""A sound in pieces gives the steps and windows of the whole sound."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.audio.features import track_from_waveform
from core.audio.logmel import LogMel, log_mel
from core.audio.streams import LogMelStream
from core.audio.waveform import from_samples
from core.errors import AudioError, FeatureMismatchError
from core.live.resampler import StreamResampler
from core.live.stream import SETTLING, SoundStream, full_lookahead
from core.records.feature_spec import FeatureSpec
from core.records.voice import RATE, Waveform

SPEC = FeatureSpec(
    "log-mel",
    29,
    parameters=asdict(LogMel()),
    normalisation="fixed",
    mean=tuple(np.linspace(-6, -4, 29)),
    std=tuple(np.linspace(1, 4, 29)),
    outside="silence",
)
FULL = full_lookahead(SPEC)
RATES = (8000, 11025, 16000, 22050, 32000, 44100, 48000, 96000)


def noise(count, seed=0):
    rng = np.random.default_rng(seed)
    return (0.3 * rng.normal(size=count) * np.sin(np.arange(count) / 3000)).astype(np.float32)


def pieces(samples, sizes):
    start = 0
    while start < len(samples):
        size = sizes[start % len(sizes)] or 1
        yield samples[start : start + size]
        start += size


SIZES = st.lists(st.integers(0, 3000), min_size=1, max_size=5).filter(lambda s: max(s) > 50)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from((*RATES, 16001, 12345)), SIZES, st.integers(0, 6000))
def test_resampling_in_pieces_is_resampling(rate, sizes, count):
    samples = noise(count)
    whole = from_samples(samples, rate).samples
    stream = StreamResampler(rate, RATE)
    parts = [stream.push(piece) for piece in pieces(samples, sizes)]
    got = np.concatenate([np.empty(0, np.float32), *parts])
    # What is not there yet: as many results as half a filter reaches.
    assert len(whole) - len(got) <= 10 * max(1, RATE / rate) + 1
    assert np.abs(got - whole[: len(got)]).max(initial=0) < 1e-6


def test_equal_rates_copy_bit_for_bit():
    samples = noise(500)
    assert StreamResampler(RATE, RATE).push(samples) is samples


@settings(max_examples=20, deadline=None)
@given(SIZES, st.integers(0, 20000))
def test_steps_come_as_soon_as_they_are_complete(sizes, count):
    samples = noise(count)
    whole = log_mel(samples, LogMel())
    stream = LogMelStream(LogMel(), keep=1000)
    got = [whole[:0], *(stream.push(piece) for piece in pieces(samples, sizes))]
    steps = np.concatenate(got)
    # Step k needs the 200 samples from k * 320 on.
    assert len(steps) == stream.count == max(0, (count - 200) // 320 + 1)
    assert np.abs(steps - whole[: len(steps)]).max(initial=0) < 1e-6
    assert np.array_equal(steps, stream.steps)


@pytest.mark.parametrize("rate", RATES)
def test_windows_with_all_the_lookahead_are_those_of_the_track(rate):
    samples = noise(int(1.3 * rate))
    track = track_from_waveform(from_samples(samples, rate), SPEC)
    stream = SoundStream(SPEC, rate, FULL)
    compared = []
    for start in range(0, len(samples), rate // 100):
        stream.push(samples[start : start + rate // 100])
        row = round(stream.seconds * 25)
        if stream.count and abs(row - stream.seconds * 25) < 1e-9:
            offline = track.around(row)
            assert np.abs(stream.newest().around(4) - offline).max() < 2e-6
            compared.append(row)
    assert set(range(-6, 25)) <= set(compared)


def test_without_resampling_the_windows_are_the_same_bits():
    samples = noise(2 * RATE)
    track = track_from_waveform(Waveform(samples), SPEC)
    stream = SoundStream(SPEC, RATE, FULL)
    stream.push(samples[: 320 * 53 + 200])
    assert stream.seconds == 1.6 / 2
    assert np.array_equal(stream.newest().around(4), track.around(20))


@pytest.mark.parametrize("lookahead", range(FULL + 1))
def test_less_lookahead_knows_the_past_and_holds_the_last_step(lookahead):
    samples = noise(2 * RATE)
    steps = (log_mel(samples, LogMel()) - np.array(SPEC.mean)) / SPEC.std
    stream = SoundStream(SPEC, RATE, lookahead)
    stream.push(samples[: 320 * 60 + 200])  # complete up to step 60
    assert stream.seconds == pytest.approx((60 - lookahead) / 50)
    first = 60 - lookahead - 16
    wanted = np.minimum(first + np.arange(8)[:, None] * 2 + np.arange(16), 60)
    got = stream.newest().windows
    assert np.allclose(got, steps[wanted], atol=1e-5)


def test_channels_are_mixed():
    samples = noise(RATE)
    one, two = SoundStream(SPEC, RATE, 4), SoundStream(SPEC, RATE, 4)
    one.push(samples)
    two.push(np.stack([samples * 1.5, samples * 0.5], 1))
    assert np.allclose(one.newest().windows, two.newest().windows, atol=1e-4)


def test_clip_normalisation_listens_first_and_then_uses_all_that_it_heard():
    spec = replace(SPEC, normalisation="clip", mean=(), std=())
    samples = noise(4 * RATE)
    stream = SoundStream(spec, RATE, FULL)
    stream.push(samples[: int((SETTLING - 0.1) * RATE)])
    assert stream.settling and not stream.newest().windows.any()
    stream.push(samples[int((SETTLING - 0.1) * RATE) :])
    assert not stream.settling
    steps = log_mel(samples, LogMel())[: stream.count]
    wanted = ((steps - steps.mean(0)) / steps.std(0))[-16:]
    assert np.allclose(stream.newest().windows[-1], wanted, atol=1e-4)


def test_a_constant_value_of_clip_normalisation_is_zero():
    spec = replace(SPEC, normalisation="clip", mean=(), std=())
    stream = SoundStream(spec, RATE, 4)
    stream.push(np.zeros(3 * RATE, np.float32))
    assert not stream.newest().windows.any()


def test_before_the_first_sound_there_is_a_window_all_the_same():
    stream = SoundStream(SPEC, 48000, 4)
    assert not stream.newest().windows.any()
    stream.push(noise(10))
    assert stream.newest().windows.shape == (8, 16, 29)


def test_what_cannot_be_heard_is_refused():
    with pytest.raises(FeatureMismatchError, match="deepspeech"):
        SoundStream(FeatureSpec("deepspeech", 29), RATE, 4)
    with pytest.raises(AudioError, match="input device"):
        SoundStream(SPEC, RATE, 4).push(np.full(9, np.nan, np.float32))
