"""The track of a training: row i is frame i, normalised by the training rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.audio.features import track_from_waveform
from core.audio.logmel import log_mel, parameters_from
from core.audio.npy import track_from_npy
from core.dataset.load import TrainingClip, load_clip
from core.dataset.sound import SOUND_KINDS, sound_of, training_track
from core.errors import ArgumentError, AudioError, DatasetError, InputError
from tests.support.training_inputs import (
    FRAMES,
    MORE,
    RATE,
    TRAIN,
    VAL,
    noise,
    write_split,
    write_wav,
)

FIRST = TRAIN + VAL  # row at which the second sound begins
ROW = RATE // 25  # samples


@pytest.fixture(scope="module")
def clip(whole_clip: Path) -> TrainingClip:
    return load_clip(whole_clip)


def both() -> np.ndarray:
    """The samples of all rows, in [-1, 1)."""
    return np.concatenate([noise(FIRST * ROW), noise(MORE * ROW, seed=1)]) / np.float32(32768)


def test_the_sounds_of_both_parts_become_one_track(clip: TrainingClip) -> None:
    notes: list[str] = []
    track, spec = training_track(clip, notes=notes)
    assert notes == [] and len(track) == FRAMES
    assert (spec.kind, spec.dim, spec.outside) == ("log-mel", 29, "silence")
    raw = log_mel(both().astype(np.float32), parameters_from(spec.parameters))
    steps = (raw - np.array(spec.mean)) / np.array(spec.std)
    for row in (4, 15, FIRST - 2, FIRST - 1):
        expected = steps[2 * row - 8 : 2 * row + 8]
        np.testing.assert_allclose(track.windows[row + track.margin], expected, atol=1e-5)


def test_the_statistics_are_those_of_the_training_rows_alone(clip: TrainingClip) -> None:
    _, spec = training_track(clip)
    raw = log_mel(both().astype(np.float32), parameters_from(spec.parameters))[: 2 * TRAIN]
    assert spec.normalisation == "fixed"
    np.testing.assert_allclose(spec.mean, raw.mean(0), rtol=1e-6)
    np.testing.assert_allclose(spec.std, raw.std(0), rtol=1e-5)


def test_an_avatar_hears_the_same_as_its_training(clip: TrainingClip) -> None:
    """Bit for bit: the spec in its file, applied to the same sound."""
    track, spec = training_track(clip)
    heard = track_from_waveform(sound_of(clip, []), spec)
    np.testing.assert_array_equal(heard.windows, track.windows)
    assert heard.outside is not None and track.outside is not None
    np.testing.assert_array_equal(heard.outside, track.outside)
    assert heard.margin == track.margin


def test_the_datasets_own_statistics_count(clip_folder: Path) -> None:
    np.savez(clip_folder / "mel.npz", mean=np.arange(29.0), std=np.full(29, 2.0))
    track, spec = training_track(load_clip(clip_folder))
    assert spec.mean == tuple(range(29)) and spec.std == (2.0,) * 29
    assert len(track) == FRAMES


def test_any_kind_that_is_heard_from_a_sound_is_normalised_alike(
    clip: TrainingClip, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The interface for further extractors: a spec in SOUND_KINDS and track_from_waveform."""
    from dataclasses import replace

    raw = SOUND_KINDS["log-mel"]()
    fewer = replace(raw, dim=20, parameters={**raw.parameters, "n_mels": 20, "fmax": 5000})
    monkeypatch.setitem(SOUND_KINDS, "other", lambda: fewer)
    track, spec = training_track(clip, "other")
    assert track.windows.shape[1:] == (16, 20) and len(spec.mean) == 20
    inside = track.windows[track.margin : track.margin + TRAIN, 8:10].reshape(-1, 20)
    np.testing.assert_allclose(inside.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(inside.std(0), 1, atol=1e-5)


def test_a_value_that_never_changes_becomes_zero(clip_folder: Path) -> None:
    steps = np.random.default_rng(0).normal(size=(2 * FRAMES, 9)).astype(np.float32)
    steps[:, 4] = 7
    np.save(clip_folder / "steps.npy", steps)
    track, spec = training_track(
        load_clip(clip_folder), "hubert", files=[clip_folder / "steps.npy"]
    )
    assert np.isfinite(track.windows).all() and (spec.mean[4], spec.std[4]) == (7, 1)
    assert not track.windows[..., 4].any() and track.windows[..., 3].any()


def test_48_khz_is_resampled(clip_folder: Path) -> None:
    seconds = FIRST / 25
    time = np.arange(int(seconds * 48000)) / 48000
    high = (9000 * np.sin(2 * np.pi * 440 * time * (1 + time))).astype(np.int16)
    low_time = np.arange(int(seconds * RATE)) / RATE
    low = (9000 * np.sin(2 * np.pi * 440 * low_time * (1 + low_time))).astype(np.int16)
    write_wav(clip_folder / "aud.wav", low)
    expected = sound_of(load_clip(clip_folder), []).samples
    write_wav(clip_folder / "aud.wav", high, rate=48000)
    found = sound_of(load_clip(clip_folder), []).samples
    assert len(found) == len(expected) == FRAMES * ROW
    assert np.abs(found - expected)[100 : FIRST * ROW - 100].max() < 0.01


def test_the_second_sound_keeps_its_place(clip_folder: Path) -> None:
    """Where the first is longer or shorter than its frames, and where the first frame of the
    second part is broken."""
    clip = load_clip(clip_folder)
    expected = training_track(clip)[0].windows[-12:]
    for samples in (FIRST * ROW + 3000, FIRST * ROW - 2000):
        write_wav(clip_folder / "aud.wav", noise(samples))
        notes: list[str] = []
        found = sound_of(load_clip(clip_folder), notes).samples
        np.testing.assert_array_equal(found[FIRST * ROW :], both()[FIRST * ROW :])
        assert len(notes) == 1 and ("longer" if samples > FIRST * ROW else "before") in notes[0]
    write_wav(clip_folder / "aud.wav", noise(FIRST * ROW))
    (clip_folder / f"parsing/{FIRST}.png").unlink()
    late = load_clip(clip_folder)
    assert late.more_rows[0] == FIRST + 1
    np.testing.assert_array_equal(training_track(late)[0].windows[-12:], expected)


def alone(folder: Path) -> Path:
    """Without the second part; the track still has its poses."""
    for name in ("transforms_more.json", "aud_more.wav"):
        (folder / name).unlink()
    write_split(folder, "val", list(range(TRAIN, FRAMES)))
    return folder


def test_a_sound_that_is_a_little_short_or_long_is_noted(clip_folder: Path) -> None:
    alone(clip_folder)
    for rows, said in ((FRAMES - 4, "ends 0.2 s before"), (FRAMES + 25, "lasts 1.0 s longer")):
        write_wav(clip_folder / "aud.wav", noise(rows * ROW))
        notes: list[str] = []
        track, _ = training_track(load_clip(clip_folder), notes=notes)
        assert len(notes) == 1 and said in notes[0]
        assert len(track) == min(rows, FRAMES)
        assert np.isfinite(track.around(FRAMES - 1)).all()
    for rows in (FRAMES - 2, FRAMES + 2):
        write_wav(clip_folder / "aud.wav", noise(rows * ROW))
        notes = []
        training_track(load_clip(clip_folder), notes=notes)
        assert notes == []


def test_sounds_that_cannot_teach(clip_folder: Path) -> None:
    alone(clip_folder)
    write_wav(clip_folder / "aud.wav", noise(FRAMES * ROW // 2))
    with pytest.raises(DatasetError, match="25 a second"):
        training_track(load_clip(clip_folder))
    for silent in (np.zeros(FRAMES * ROW, np.int16), np.full(FRAMES * ROW, 700, np.int16)):
        write_wav(clip_folder / "aud.wav", silent)
        with pytest.raises(DatasetError, match="is silent"):
            training_track(load_clip(clip_folder))
    late = noise(FRAMES * ROW)
    late[: TRAIN * ROW] = 0  # only the held-out part can be heard
    write_wav(clip_folder / "aud.wav", late)
    with pytest.raises(DatasetError, match="is silent"):
        training_track(load_clip(clip_folder))
    (clip_folder / "aud.wav").write_bytes(b"")
    with pytest.raises(InputError):
        training_track(load_clip(clip_folder))
    (clip_folder / "aud.wav").unlink()
    clip = load_clip(clip_folder)
    assert any("aud.wav" in note for note in clip.notes)
    with pytest.raises(DatasetError, match=r"no aud\.wav"):
        training_track(clip)


def test_a_second_part_without_sound_hears_silence(clip_folder: Path) -> None:
    (clip_folder / "aud_more.wav").unlink()
    clip = load_clip(clip_folder)
    assert any("aud_more.wav" in note for note in clip.notes)
    notes: list[str] = []
    track, _ = training_track(clip, notes=notes)
    assert len(track) == FIRST and "get silence" in notes[0]


def save(path: Path, *shape: int, seed: int = 0) -> np.ndarray:
    array = np.random.default_rng(seed).normal(3, 2, shape).astype(np.float32)
    np.save(path, array)
    return array


def test_ready_windows_are_taken_as_they_are(clip_folder: Path) -> None:
    first = save(clip_folder / "aud_ds.npy", FIRST, 16, 29)
    more = save(clip_folder / "aud_ds_more.npy", MORE, 16, 29, seed=1)
    track, spec = training_track(load_clip(clip_folder), "deepspeech")
    np.testing.assert_array_equal(track.windows, np.concatenate([first, more]))
    assert (spec.kind, spec.dim, spec.normalisation, track.margin) == ("deepspeech", 29, "none", 0)


def test_files_of_windows_longer_or_shorter_than_their_part(clip_folder: Path) -> None:
    first = save(clip_folder / "a.npy", FIRST + 2, 16, 44)
    more = save(clip_folder / "b.npy", MORE + 1, 16, 44, seed=1)
    clip = load_clip(clip_folder)
    files = [clip_folder / "a.npy", clip_folder / "b.npy"]
    track, spec = training_track(clip, "wav2vec2", files=files)
    assert spec.dim == 44
    np.testing.assert_array_equal(track.windows, np.concatenate([first[:FIRST], more[:MORE]]))
    first = save(clip_folder / "a.npy", FIRST - 1, 16, 44)
    track, _ = training_track(clip, "wav2vec2", files=files)
    assert not track.windows[FIRST - 1].any()
    np.testing.assert_array_equal(track.windows[FIRST:], more[:MORE])


def test_steps_are_normalised_by_the_training_rows(clip_folder: Path) -> None:
    steps = save(clip_folder / "aud_hu.npy", FRAMES, 2, 64).reshape(-1, 64)
    clip = load_clip(clip_folder)
    track, spec = training_track(clip, "hubert")
    assert (spec.kind, spec.dim, spec.normalisation) == ("hubert", 64, "fixed")
    np.testing.assert_allclose(spec.mean, steps[: 2 * TRAIN].mean(0), rtol=1e-5)
    np.testing.assert_allclose(spec.std, steps[: 2 * TRAIN].std(0), rtol=1e-5)
    expected = (steps[4:20] - spec.mean) / spec.std
    np.testing.assert_allclose(track.windows[6], expected, atol=1e-5)
    # The avatar hears the same file as steps.
    np.save(clip_folder / "steps.npy", steps)
    heard = track_from_npy(clip_folder / "steps.npy", spec)
    np.testing.assert_array_equal(heard.windows, track.windows)


def test_feature_files_that_cannot_be_used(clip_folder: Path) -> None:
    clip = load_clip(clip_folder)
    with pytest.raises(DatasetError, match=r"has no aud_ds\.npy or aud\.npy"):
        training_track(clip, "deepspeech")
    save(clip_folder / "f.npy", FRAMES, 5, 7)
    with pytest.raises(AudioError, match="give \\(rows, 16, values\\)"):
        training_track(clip, "deepspeech", files=[clip_folder / "f.npy"])
    save(clip_folder / "a.npy", FIRST, 16, 29)
    save(clip_folder / "b.npy", MORE, 16, 30)
    with pytest.raises(AudioError, match="not of one kind"):
        training_track(clip, "deepspeech", files=[clip_folder / "a.npy", clip_folder / "b.npy"])
    with pytest.raises(ArgumentError, match="3 feature files for a clip of 2 sounds"):
        training_track(clip, "deepspeech", files=[clip_folder / "a.npy"] * 3)
    save(clip_folder / "c.npy", 5, 16, 29)
    with pytest.raises(DatasetError, match="25 a second"):
        training_track(clip, "deepspeech", files=[clip_folder / "c.npy"])
    np.save(clip_folder / "n.npy", np.full((FRAMES, 16, 29), np.nan, np.float32))
    with pytest.raises(AudioError, match="not finite"):
        training_track(clip, "deepspeech", files=[clip_folder / "n.npy"])
    (clip_folder / "x.npy").write_bytes(b"\x93NUMPY\x01\x00" + b"x" * 99)
    with pytest.raises(AudioError, match=r"not a \.npy file"):
        training_track(clip, "deepspeech", files=[clip_folder / "x.npy"])
    np.save(clip_folder / "o.npy", np.array([{}]), allow_pickle=True)
    with pytest.raises(AudioError, match="holds object"):
        training_track(clip, "deepspeech", files=[clip_folder / "o.npy"])


def test_kinds_that_there_are_not(clip: TrainingClip) -> None:
    with pytest.raises(ArgumentError, match=r"choose one of log-mel, .*deepspeech"):
        training_track(clip, "mfcc")
    with pytest.raises(ArgumentError, match="computed from the sound"):
        training_track(clip, "log-mel", files=[Path("x.npy")])


def test_the_real_clip(shared: Path) -> None:
    """Its own features come out again, with silence where its script put zeros."""
    clip = load_clip(shared / "talker_clip")
    notes: list[str] = []
    track, spec = training_track(clip, notes=notes)
    assert notes == [] and len(track) == len(clip) == 1085
    windows = track.windows[track.margin : -track.margin]
    first = np.load(shared / "talker_clip/aud_ds.npy")
    more = np.load(shared / "talker_clip/aud_ds_more.npy")
    np.testing.assert_allclose(windows[4:782], first[4:782], atol=1e-5)
    np.testing.assert_allclose(windows[790:1081], more[4:295], atol=1e-5)
    official, _ = training_track(clip, "deepspeech")
    np.testing.assert_array_equal(official.windows, np.concatenate([first, more]))
    assert spec.outside == "silence"
