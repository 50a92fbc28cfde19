"""From a sound to the network's windows: the official loader's layout, any length."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.audio.features import track_from_waveform
from core.audio.files import load_waveform
from core.audio.logmel import LogMel, log_mel
from core.audio.windows import windowed
from core.errors import AudioError, FeatureMismatchError
from core.records.feature_spec import FeatureSpec
from core.records.voice import Waveform
from tests.support.sound_files import encoded, wav
from tests.support.voices import load_track

RAW = FeatureSpec("log-mel", 29, parameters=asdict(LogMel()))
CLIP = replace(RAW, normalisation="clip")


def noise(length: int) -> Waveform:
    samples = np.random.default_rng(length).normal(0, 0.1, length)
    return Waveform(samples.astype(np.float32))


def test_the_clip_comes_out_as_its_own_features(shared: Path) -> None:
    clip = shared / "talker_clip"
    windows = track_from_waveform(load_waveform(clip / "aud.wav"), CLIP).windows
    theirs = np.load(clip / "aud_ds.npy")
    assert windows.shape == theirs.shape == (786, 16, 29)
    np.testing.assert_allclose(windows, theirs, rtol=0, atol=1e-4)


def test_fixed_normalisation_fits_another_sound_of_the_same_voice(shared: Path) -> None:
    clip = shared / "talker_clip"
    with np.load(clip / "mel.npz") as stored:
        mean, std = (tuple(map(float, stored[key])) for key in ("mean", "std"))
    spec = replace(RAW, normalisation="fixed", mean=mean, std=std)
    windows = load_track(clip / "aud_more.wav", spec).windows
    theirs = np.load(clip / "aud_ds_more.npy")
    assert windows.shape == theirs.shape == (299, 16, 29)
    # Theirs was cut from one talk: its first four windows still hear what came before.
    np.testing.assert_allclose(windows[4:], theirs[4:], rtol=0, atol=1e-4)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 20000))
def test_row_i_covers_steps_2i_minus_8_to_2i_plus_7(length: int) -> None:
    sound = noise(length)
    steps = log_mel(sound.samples, LogMel())
    windows = track_from_waveform(sound, RAW).windows
    assert windows.shape == (-(-length // 640), 16, 29)
    assert windows.dtype == np.float32
    assert windows.flags.c_contiguous
    for row, window in enumerate(windows):
        for place in range(16):
            step = 2 * row - 8 + place
            expected = steps[step] if 0 <= step < len(steps) else np.zeros(29)
            assert np.array_equal(window[place], expected)


def test_no_sound_is_no_row_and_still_a_track() -> None:
    track = track_from_waveform(Waveform(np.zeros(0, np.float32)), CLIP)
    assert len(track) == 0
    assert track.around(0).shape == (8, 29, 16)
    assert not track.around(0).any()


def test_a_sound_shorter_than_a_window() -> None:
    track = track_from_waveform(noise(100), RAW)
    assert len(track) == 1
    assert track.windows[0, 8].any()
    assert not np.delete(track.windows[0], 8, axis=0).any()


def test_clip_normalisation() -> None:
    windows = track_from_waveform(noise(64000), CLIP).windows
    steps = windows[4:-4, 8:10].reshape(-1, 29)
    np.testing.assert_allclose(steps.mean(0), 0, atol=0.1)
    np.testing.assert_allclose(steps.std(0), 1, atol=0.1)


def test_silence_is_zero_and_not_amplified_rounding() -> None:
    silence = Waveform(np.zeros(32000, np.float32))
    assert np.abs(track_from_waveform(silence, CLIP).windows).max() < 1e-4


def test_fixed_normalisation() -> None:
    mean, std = tuple(range(29)), tuple(0.5 + i for i in range(29))
    raw = track_from_waveform(noise(6400), RAW).windows[5]
    spec = replace(RAW, normalisation="fixed", mean=mean, std=std)
    fixed = track_from_waveform(noise(6400), spec).windows[5]
    np.testing.assert_allclose(fixed, (raw - np.array(mean)) / np.array(std), rtol=1e-5)


def test_a_track_of_a_file_is_that_of_its_waveform(tmp_path: Path) -> None:
    samples = np.sin(np.arange(30000) / 7)
    path = tmp_path / "voice.WAV"
    path.write_bytes(wav(encoded(samples, 3, 32), 3, bits=32, rate=44100))
    windows = track_from_waveform(load_waveform(path), CLIP).windows
    assert np.array_equal(load_track(path, CLIP).windows, windows)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"kind": "deepspeech"},
            "trained on deepspeech features of 29 .* computes only log-mel, .*npy",
        ),
        ({"version": 2}, "log-mel version 2.* version 1"),
        ({"dim": 44}, "44 values .* 29 values"),
        ({"rate": 100.0, "stride": 4}, "at 100 Hz, .* at 50 Hz"),
        ({"rate": 60.0}, "60 steps a second at stride 2"),
        ({"rate": float("nan")}, "steps a second"),
        ({"window": 0}, "windows of 0"),
        ({"window": 10**9}, "windows of 1000000000"),
        ({"pad": -1}, "pad -1"),
        ({"normalisation": "batch"}, "unknown normalisation 'batch'"),
        ({"normalisation": "fixed", "mean": (0.0,) * 29, "std": ()}, "mean of 29 and a deviation"),
        (
            {"normalisation": "fixed", "mean": (0.0,) * 29, "std": (0.0,) * 29},
            "deviation that is not positive",
        ),
        ({"parameters": {**asdict(LogMel()), "sample_rate": 22050}}, "22050 Hz sound"),
    ],
)
def test_another_kind_of_features_names_both_sides(change: dict[str, Any], message: str) -> None:
    with pytest.raises(FeatureMismatchError, match=message) as caught:
        track_from_waveform(noise(1000), replace(RAW, **change))
    assert "\n" not in str(caught.value)


def test_the_mismatch_comes_before_the_sound_is_read(tmp_path: Path) -> None:
    with pytest.raises(FeatureMismatchError, match=r"give the hubert features .* as a \.npy"):
        load_track(tmp_path / "missing.wav", replace(RAW, kind="hubert"))


def test_memory_is_checked_before_it_is_taken() -> None:
    spec = FeatureSpec("hubert", 1024)
    with pytest.raises(AudioError, match="540000 windows of 16 x 1024, 35 GB"):
        windowed(np.zeros((3, 1024), np.float32), spec, 540_000)


def test_around_the_sound_there_is_silence_where_the_avatar_asks_for_it() -> None:
    """The same as sound with silence recorded before and after it, row by row."""
    spec = replace(
        RAW, normalisation="fixed", mean=(-5.0,) * 29, std=(2.0,) * 29, outside="silence"
    )
    sound = noise(16000)
    quiet = np.zeros(16000, np.float32)
    longer = track_from_waveform(Waveform(np.concatenate([quiet, sound.samples, quiet])), spec)
    track = track_from_waveform(sound, spec)
    for row in range(-10, len(track) + 10):
        np.testing.assert_array_equal(track.around(row), longer.around(row + 25))
    official = track_from_waveform(sound, replace(spec, outside="zeros"))
    assert not official.around(-10).any()
    np.testing.assert_array_equal(official.around(10), track.around(10))
