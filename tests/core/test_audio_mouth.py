"""The numbers of a mouth's shape follow from each window alone, on every path from a sound."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from core.audio.features import track_for, track_from_waveform, track_pieces
from core.audio.logmel import LogMel
from core.audio.mouth import ROWS_AT_ONCE, mouth_track
from core.audio.windows import check_spec
from core.avatar.file import load_avatar, save_avatar
from core.errors import AvatarFileError, FeatureMismatchError
from core.formats.safetensors import read_tensors
from core.live.stream import SoundStream, full_lookahead
from core.network.numpy.audio_net import encode
from core.records.audio_track import AudioTrack
from core.records.avatar import Avatar
from core.records.feature_spec import FeatureSpec, MouthMap, Shut
from core.records.voice import RATE, Waveform
from core.system.steps import finished
from tests.support.egs_files import assert_same, put, rewrite
from tests.support.talking import small_avatar

NUMBERS, BINS = 3, 4
PLAIN = FeatureSpec(
    "log-mel", 29, parameters=asdict(LogMel()), normalisation="fixed", mean=(-5.0,) * 29,
    std=(3.0,) * 29, outside="silence",
)  # fmt: skip


def mouth(seed: int = 0) -> MouthMap:
    rng = np.random.default_rng(seed)
    weights = tuple(float(v) for v in 0.05 * rng.normal(size=NUMBERS * BINS * 29))
    return MouthMap(BINS, weights, (0.1, -0.2, 0.3), (-1.5,) * NUMBERS, (1.5,) * NUMBERS)


def shut(seed: int = 1) -> Shut:
    rng = np.random.default_rng(seed)
    weights = tuple(float(v) for v in 0.1 * rng.normal(size=2 * BINS * 29))
    return Shut(weights, (0.5, -0.4), (-1.2, 0.3, 0.1))


SPEC = replace(PLAIN, mouth=mouth())
SHUT = replace(PLAIN, mouth=replace(mouth(), shut=shut()))


def noise(seconds: float, seed: int = 0) -> Waveform:
    rng = np.random.default_rng(seed)
    count = int(seconds * RATE)
    samples = 0.3 * rng.normal(size=count) * np.sin(np.arange(count) / 3000)
    return Waveform(samples.astype(np.float32))


def talker(path: Path) -> Avatar:
    """An avatar whose network takes the numbers."""
    avatar = small_avatar(path)
    assert avatar.network is not None
    arrays = dict(avatar.network.arrays)
    first = "audio_net.encoder_conv.0.weight"
    arrays[first] = np.ascontiguousarray(arrays[first][:, :NUMBERS])
    network = replace(avatar.network, arrays=arrays)
    return replace(avatar, network=network, features=SPEC, frozen_gaussians=None)


def test_each_number_is_a_weighted_sum_of_the_windows_parts() -> None:
    plain, track = (track_from_waveform(noise(1), spec) for spec in (PLAIN, SPEC))
    assert track.windows.shape == (len(plain.windows), 1, NUMBERS) and track.margin == 5
    weights = np.reshape(mouth().weights, (NUMBERS, BINS, 29))
    for row in (0, 9, 30):
        for number in range(NUMBERS):
            value = mouth().bias[number]
            for part in range(BINS):
                steps = plain.windows[row, 4 * part : 4 * part + 4]
                value += steps.mean(axis=0) @ weights[number, part]
            wanted = min(max(value, -1.5), 1.5)
            assert track.windows[row, 0, number] == pytest.approx(wanted, abs=1e-5)
    assert np.abs(track.windows).max() == 1.5  # the limits hold


def test_silence_shuts_all_numbers_and_closing_lips_the_first() -> None:
    plain, moved, track = (track_from_waveform(noise(1), spec) for spec in (PLAIN, SPEC, SHUT))
    weights = np.reshape(shut().weights, (2, BINS, 29))
    for row in (0, 9, 30):
        parts = plain.windows[row].reshape(BINS, 4, 29).mean(axis=1)
        voice, lips = (
            1 / (1 + np.exp(-(parts * weights[k]).sum() - shut().bias[k])) for k in (0, 1)
        )
        wanted = moved.windows[row, 0].astype(float)
        wanted[0] = (1 - lips) * wanted[0] + lips * -1.2
        wanted = voice * wanted + (1 - voice) * np.array([-1.2, 0.3, 0.1])
        np.testing.assert_allclose(track.windows[row, 0], wanted, atol=1e-5)
        assert 0.01 < voice < 0.999 and 0.001 < lips < 0.99  # both do something here


def test_without_a_map_the_track_stays_itself() -> None:
    track = track_from_waveform(noise(1), PLAIN)
    assert mouth_track(track, PLAIN) is track


@pytest.mark.parametrize("spec", [SPEC, SHUT])
def test_around_the_sound_are_the_numbers_of_silence(spec: FeatureSpec) -> None:
    sound = noise(0.8).samples
    padded = Waveform(np.concatenate([np.zeros(RATE, np.float32), sound, np.zeros(RATE)]))
    alone, within = (track_from_waveform(w, spec) for w in (Waveform(sound), padded))
    for row in range(-12, 32):
        np.testing.assert_allclose(alone.around(row), within.around(row + 25), atol=1e-5)


@pytest.mark.parametrize("spec", [SPEC, SHUT])
def test_a_part_has_the_bits_of_the_whole(tmp_path: Path, spec: FeatureSpec) -> None:
    avatar, sound = replace(talker(tmp_path / "a.egs"), features=spec), noise(8)
    whole = track_for(avatar, sound)
    for wanted in (range(0, 1), range(60, 63), range(190, 205)):
        part = finished(track_pieces(avatar, sound, wanted))
        for row in wanted:
            assert np.array_equal(part.around(row), whole.around(row))


@pytest.mark.parametrize("spec", [SPEC, SHUT])
def test_rows_do_not_depend_on_how_many_are_computed_together(spec: FeatureSpec) -> None:
    rng = np.random.default_rng(3)
    windows = rng.normal(size=(ROWS_AT_ONCE + 5, 16, 29)).astype(np.float32)
    whole = mouth_track(AudioTrack(windows), spec).windows
    for rows in (slice(0, 1), slice(7, 9), slice(ROWS_AT_ONCE - 1, ROWS_AT_ONCE + 2)):
        assert np.array_equal(mouth_track(AudioTrack(windows[rows]), spec).windows, whole[rows])


@pytest.mark.parametrize("spec", [SPEC, SHUT])
def test_a_live_sound_has_the_same_numbers(spec: FeatureSpec) -> None:
    sound = noise(2)
    track = track_from_waveform(sound, spec)
    stream = SoundStream(spec, RATE, full_lookahead(spec))
    stream.push(sound.samples[: 320 * 53 + 200])
    assert stream.seconds == 0.8
    assert np.array_equal(stream.newest().around(4), track.around(20))


def test_steps_from_a_file_become_numbers_too(tmp_path: Path) -> None:
    avatar = talker(tmp_path / "a.egs")
    steps = np.random.default_rng(1).normal(-5, 3, (60, 29)).astype(np.float32)
    np.save(tmp_path / "steps.npy", steps)
    track = track_for(avatar, tmp_path / "steps.npy")
    assert track.windows.shape == (30, 1, NUMBERS)
    assert avatar.network is not None
    assert np.isfinite(encode(avatar.network.arrays, track.around(29))).all()


def test_the_file_keeps_the_map_and_its_version(tmp_path: Path) -> None:
    avatar = talker(tmp_path / "a.egs")
    save_avatar(avatar, tmp_path / "b.egs")
    assert read_tensors(tmp_path / "b.egs")[1]["version"] == "3"
    assert_same(avatar, load_avatar(tmp_path / "b.egs"))
    _, metadata, _ = read_tensors(tmp_path / "a.egs")  # written before, without a map
    assert metadata["version"] == "2" and '"mouth"' not in metadata["avatar"]
    _, metadata, _ = read_tensors(tmp_path / "b.egs")
    assert '"shut"' not in metadata["avatar"]


def test_what_shuts_the_mouth_is_kept_in_a_newer_version(tmp_path: Path) -> None:
    avatar = replace(talker(tmp_path / "a.egs"), features=SHUT)
    save_avatar(avatar, tmp_path / "b.egs")
    assert read_tensors(tmp_path / "b.egs")[1]["version"] == "4"
    assert_same(avatar, load_avatar(tmp_path / "b.egs"))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("weights", [0.0] * 5, "list of 232 numbers"),
        ("bias", [0.0], "list of 2 numbers"),
        ("closed", [0.0] * 4, "list of 3 numbers"),
        ("closed", None, "list"),
    ],
)
def test_what_shuts_the_mouth_is_checked(
    tmp_path: Path, key: str, value: object, message: str
) -> None:
    path = tmp_path / "b.egs"
    save_avatar(replace(talker(tmp_path / "a.egs"), features=SHUT), path)
    rewrite(path, put("d", "features", "mouth", "shut", key, value))
    with pytest.raises(AvatarFileError, match=message):
        load_avatar(path)
    with pytest.raises(FeatureMismatchError, match="two maps of 4 weights shut to 3 numbers"):
        check_spec(replace(SPEC, mouth=replace(mouth(), shut=replace(shut(), weights=(0.0,) * 4))))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("weights", [0.0] * 5, "list of 348 numbers"),
        ("low", [0.0], "list of 3 numbers"),
        ("bias", [0.0] * 5, "numbers"),
        ("bins", 0, "outside 1.."),
        ("weights", "many", "list"),
    ],
)
def test_a_map_that_does_not_fit_is_named(
    tmp_path: Path, key: str, value: object, message: str
) -> None:
    path = tmp_path / "b.egs"
    save_avatar(talker(tmp_path / "a.egs"), path)
    rewrite(path, put("d", "features", "mouth", key, value))
    with pytest.raises(AvatarFileError, match=message):
        load_avatar(path)


def test_a_map_of_parts_that_do_not_fill_the_window_is_refused() -> None:
    with pytest.raises(FeatureMismatchError, match="3 equal parts of a window of 16"):
        check_spec(replace(SPEC, mouth=replace(mouth(), bins=3)))
    with pytest.raises(FeatureMismatchError, match="map of 348 weights"):
        check_spec(replace(SPEC, mouth=replace(mouth(), bins=8)))
