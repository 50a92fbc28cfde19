"""Feature files: ready windows, steps at any rate, and files that are neither."""

from __future__ import annotations

import io
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from core.audio.logmel import LogMel
from core.audio.npy import rows_of_npy, track_from_npy
from core.errors import ArgumentError, AudioError, FeatureMismatchError
from core.records.feature_spec import FeatureSpec
from tests.support.voices import load_track

SPEC = FeatureSpec("deepspeech", 29)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "aud.npy"


def random(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(3).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("kind", ["<f2", "<f4", "<f8", ">f4"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_windows_are_taken_as_they_are(file: Path, kind: str, order: Any) -> None:
    windows = random(20, 16, 29).astype(kind)
    np.save(file, np.asarray(windows, order=order))
    values = {"normalisation": "fixed", "mean": (5.0,) * 29, "std": (2.0,) * 29}
    track = load_track(file, FeatureSpec("log-mel", 29, **values))
    assert track.windows.dtype == np.float32
    assert track.windows.flags.c_contiguous
    assert np.array_equal(track.windows, windows.astype(np.float32))


def test_steps_at_the_avatars_rate_are_only_windowed(file: Path) -> None:
    steps = random(41, 29)
    np.save(file, steps)
    windows = track_from_npy(file, SPEC).windows
    assert windows.shape == (21, 16, 29)
    padded = np.concatenate([np.zeros((8, 29)), steps, np.zeros((16, 29))])
    assert all(
        np.array_equal(window, padded[2 * i : 2 * i + 16]) for i, window in enumerate(windows)
    )


@settings(max_examples=30, deadline=None)
@given(st.floats(5, 200), st.integers(1, 300))
def test_any_rate_is_resampled_linearly(
    tmp_path_factory: pytest.TempPathFactory, rate: float, count: int
) -> None:
    file = tmp_path_factory.getbasetemp() / "rate.npy"
    np.save(file, np.repeat(np.arange(count)[:, None] / rate, 29, 1))  # each step is its own time
    windows = track_from_npy(file, SPEC, rate=rate).windows
    steps = round(count * 50 / rate)
    assert len(windows) == -(-steps // 2)
    times = np.minimum(np.arange(0, steps, 2) / 50, (count - 1) / rate)
    np.testing.assert_allclose(windows[:, 8, 0], times, rtol=0, atol=1e-5)


def test_seconds_give_the_rate(file: Path) -> None:
    np.save(file, random(90, 29))
    by_seconds, by_rate = track_from_npy(file, SPEC, seconds=3), track_from_npy(file, SPEC, rate=30)
    assert len(by_seconds) == 75
    assert np.array_equal(by_seconds.windows, by_rate.windows)


def test_one_step_is_enough(file: Path) -> None:
    np.save(file, random(1, 29))
    assert len(track_from_npy(file, SPEC, rate=25)) == 1


def test_windows_of_another_length(file: Path) -> None:
    hubert = FeatureSpec("hubert", 1024, window=2, pad=1)
    np.save(file, random(5, 2, 1024))
    assert track_from_npy(file, hubert).windows.shape == (5, 2, 1024)


def test_the_clips_features_load_as_they_are(shared: Path) -> None:
    path = shared / "talker_clip" / "aud_ds.npy"
    assert np.array_equal(load_track(path, SPEC).windows, np.load(path))


def test_raw_steps_are_normalised_as_the_avatar_says(shared: Path, file: Path) -> None:
    with np.load(shared / "talker_clip" / "mel.npz") as stored:
        np.save(file, stored["mel50"])
    spec = FeatureSpec("log-mel", 29, parameters=asdict(LogMel()), normalisation="clip")
    theirs = np.load(shared / "talker_clip" / "aud_ds.npy")
    np.testing.assert_allclose(track_from_npy(file, spec).windows[:786], theirs, atol=1e-4)


def test_every_shape_of_the_field_is_the_same_sound(file: Path) -> None:
    """Two steps a row as HuBERT's script writes them and as its loader turns them, windows both
    ways round: the rows, and so the track, are those of the plain steps."""
    steps = random(40, 64)
    padded = np.concatenate([np.zeros((8, 64), np.float32), steps, np.zeros((8, 64), np.float32)])
    windows = np.stack([padded[2 * i : 2 * i + 16] for i in range(20)])
    spec = FeatureSpec("hubert", 64)
    pairs = steps.reshape(20, 2, 64)
    for array in (steps, pairs, pairs.transpose(0, 2, 1), windows, windows.transpose(0, 2, 1)):
        np.save(file, array)
        assert rows_of_npy(file, spec) == 20
        np.testing.assert_array_equal(track_from_npy(file, spec).windows, windows)


def test_an_avatar_with_short_windows_gets_the_middle_of_ready_ones(file: Path) -> None:
    windows = random(9, 16, 44)
    np.save(file, windows.transpose(0, 2, 1))
    short = FeatureSpec("wav2vec2", 44, window=8, pad=4)
    np.testing.assert_array_equal(track_from_npy(file, short).windows, windows[:, 4:12])
    assert rows_of_npy(file, short) == 9
    with pytest.raises(FeatureMismatchError, match="windows of 20 steps"):
        track_from_npy(file, FeatureSpec("wav2vec2", 44, window=20, pad=8))


def test_windows_are_as_raw_as_the_steps_of_the_training(file: Path) -> None:
    """An avatar trained on another program's steps carries their mean; that program's windows are
    not normalised either."""
    windows = random(9, 16, 44)
    np.save(file, windows)
    mean, std = tuple(np.arange(44.0)), (2.0,) * 44
    spec = FeatureSpec("wav2vec2", 44, normalisation="fixed", mean=mean, std=std)
    expected = (windows - np.array(mean)) / 2
    np.testing.assert_allclose(track_from_npy(file, spec).windows, expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((5, 16, 44), "16 x 44 .* deepspeech windows of 16 steps x 29"),
        ((5, 1, 29), "1 x 29 .* 16 steps x 29"),
        ((50, 1024), "1024 values .* deepspeech features of 29"),
    ],
)
def test_other_sizes_name_both_sides(file: Path, shape: tuple[int, ...], message: str) -> None:
    np.save(file, random(*shape))
    with pytest.raises(FeatureMismatchError, match=message) as caught:
        track_from_npy(file, SPEC)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (random(29), "shape"),
        (random(2, 2, 16, 29), "shape"),
        (random(0, 16, 29), "shape"),
        (np.float32(3), "shape"),
        (np.zeros((3, 29), np.int16), "int16"),
        (np.zeros((3, 29), complex), "complex"),
        (np.array([["a"]]), "float32"),
        (np.full((3, 29), np.nan), "finite"),
        (np.full((3, 29), 1e300), "finite"),
    ],
)
def test_files_of_something_else_say_why(file: Path, array: NDArray[Any], message: str) -> None:
    np.save(file, array)
    with pytest.raises(AudioError, match=message) as caught:
        track_from_npy(file, SPEC)
    assert "aud.npy" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_objects_are_never_loaded(file: Path) -> None:
    np.save(file, np.array([[{}]], object), allow_pickle=True)
    with pytest.raises(AudioError, match="object"):
        track_from_npy(file, SPEC)


def test_a_header_that_promises_more_allocates_nothing(file: Path) -> None:
    buffer = io.BytesIO()
    header = {"descr": "<f4", "fortran_order": False, "shape": (10**12, 16, 29)}
    np.lib.format.write_array_header_1_0(buffer, header)
    file.write_bytes(buffer.getvalue() + bytes(1000))
    with pytest.raises(AudioError, match="cut off"):
        track_from_npy(file, SPEC)


@pytest.mark.parametrize(
    "data", [b"", b"\x93NUMPY", b"PK\x03\x04 an archive", b"\x93NUMPY\x09\x00v\x00"]
)
def test_what_is_no_npy_says_so(file: Path, data: bytes) -> None:
    file.write_bytes(data)
    with pytest.raises(AudioError, match=r"not a \.npy file"):
        track_from_npy(file, SPEC)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="does not exist"):
        load_track(tmp_path / "no.npy", SPEC)


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf")])
def test_impossible_rates(file: Path, value: float) -> None:
    np.save(file, random(10, 29))
    for options in ({"rate": value}, {"seconds": value}):
        with pytest.raises(ArgumentError, match="must be a positive number"):
            track_from_npy(file, SPEC, **options)
    with pytest.raises(ArgumentError, match="longer than 6 hours"):
        track_from_npy(file, SPEC, rate=1e-9)


@settings(max_examples=300, deadline=None)
@given(st.data())
@pytest.mark.filterwarnings("ignore:Reading `.npy`:UserWarning")
def test_no_bytes_end_in_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    buffer = io.BytesIO()
    np.save(buffer, random(2, 16, 29))
    raw = bytearray(buffer.getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(6, 127))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "fuzz.npy"
    path.write_bytes(raw)
    try:
        track_from_npy(path, SPEC)
    except (AudioError, FeatureMismatchError) as error:
        assert "\n" not in str(error)
