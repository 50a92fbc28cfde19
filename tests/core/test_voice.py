"""The track of a voice is the same for every kind of voice, wherever it is computed."""

from __future__ import annotations

import math
import sys
import threading
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.audio import features
from core.audio.extractor import COMPUTED, Joined, computed_spec, extractor_of
from core.audio.features import counted, track_for, track_pieces
from core.audio.files import decoded, load_waveform, sound_length
from core.audio.logmel import LogMel
from core.avatar.file import load_avatar, save_avatar
from core.bake.features import COMPUTING
from core.engine.builtin import BuiltinEngine
from core.engine.worker import WorkerEngine
from core.errors import ArgumentError, AudioError, FeatureMismatchError, ProtocolError
from core.records.audio_track import AudioTrack
from core.records.avatar import Avatar
from core.records.feature_spec import FeatureSpec
from core.records.job import BakeJob
from core.records.voice import AnyVoice, SoundPart, Waveform
from core.worker.exchange import voice_fields, voice_from, write_track, write_waveform
from tests.support.sound_files import encoded
from tests.support.sound_files import wav as wav_file
from tests.support.talking import files, job_for, small_avatar
from tests.support.waiting import LIMIT, until

RATE = 22050


@pytest.fixture(scope="module")
def wav(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sound") / "voice.wav"
    samples = 0.3 * np.sin(np.arange(int(1.37 * RATE)) ** 1.3 / 90)
    path.write_bytes(wav_file(encoded(samples, 1, 16), rate=RATE))
    return path


@pytest.fixture(scope="module")
def egs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Avatar]:
    """A talking avatar whose features are computed from a sound."""
    path = tmp_path_factory.mktemp("avatar") / "small.egs"
    spec = FeatureSpec("log-mel", 29, parameters=asdict(LogMel()))
    save_avatar(replace(small_avatar(path), features=spec), path)
    return path, load_avatar(path)


def parts(wav: Path) -> list[SoundPart]:
    return [
        SoundPart(wav, 0.0, 1.36, 0.04),  # the file's last part of a frame belongs to it
        SoundPart(wav, 0.2, 0.5),
        SoundPart(wav, -0.3, 1.0),
        SoundPart(wav, 0.5, 60.0),
    ]


def test_lengths_are_known_without_decoding(
    wav: Path, egs: tuple[Path, Avatar], monkeypatch: pytest.MonkeyPatch
) -> None:
    voices: list[Any] = [wav, *parts(wav), load_waveform(wav)]
    wanted = [(len(decoded(voice)), len(track_for(egs[1], voice))) for voice in voices]
    monkeypatch.setattr(features, "decoded", None)  # nobody may call it
    for voice, (samples, rows) in zip(voices, wanted, strict=True):
        assert sound_length(voice) == samples
        assert counted(egs[1], voice) == (voice, rows)


def test_rows_of_feature_files(tmp_path: Path, egs: tuple[Path, Avatar]) -> None:
    for shape, rows in (((7, 16, 29), 7), ((13, 29), 7)):
        np.save(tmp_path / "f.npy", np.zeros(shape, np.float32))
        assert counted(egs[1], tmp_path / "f.npy") == (tmp_path / "f.npy", rows)
        assert len(track_for(egs[1], tmp_path / "f.npy")) == rows
    np.save(tmp_path / "f.npy", np.zeros((7, 16, 30), np.float32))
    with pytest.raises(FeatureMismatchError):
        counted(egs[1], tmp_path / "f.npy")


def test_a_part_is_cut_from_the_file(wav: Path) -> None:
    whole = load_waveform(wav).samples
    ends, inside, early, beyond = (decoded(part).samples for part in parts(wav))
    np.testing.assert_array_equal(ends, whole)
    np.testing.assert_array_equal(inside, whole[3200:11200])
    np.testing.assert_array_equal(early, np.concatenate([np.zeros(4800), whole[:11200]]))
    np.testing.assert_array_equal(beyond, whole[8000:])
    with pytest.raises(AudioError, match="'late' plays nothing"):
        decoded(SoundPart(wav, 5.0, 1.0, name="late"))
    with pytest.raises(AudioError, match="'late' plays nothing"):
        sound_length(SoundPart(wav, 5.0, 1.0, name="late"))


def test_no_voice_a_track_and_a_still(egs: tuple[Path, Avatar], wav: Path) -> None:
    with pytest.raises(ArgumentError, match="no sound"):
        track_for(egs[1], None)
    with pytest.raises(ArgumentError, match="no sound"):
        counted(egs[1], None)
    track = track_for(egs[1], wav)
    assert track_for(egs[1], track) is track and counted(egs[1], track) == (track, len(track))
    still = replace(egs[1], features=None)
    assert len(track_for(still, None)) == 0 and counted(still, None) == (None, 0)


@pytest.mark.parametrize("kind", COMPUTED)
def test_pieces_report_and_give_the_same_steps(kind: str) -> None:
    extractor = extractor_of(computed_spec(kind))
    samples = 0.1 * np.random.default_rng(0).standard_normal(20 * 16000).astype(np.float32)
    shares, pieces = [], extractor.pieces(samples)
    while True:
        try:
            shares.append(next(pieces))
        except StopIteration as end:
            steps = end.value
            break
    assert steps.shape == (1001, extractor.dim)
    assert shares == sorted(shares) and shares[-1] == pytest.approx(1)
    if isinstance(extractor, Joined):
        assert 0 < shares[0] < 0.1  # the cheap half is a small part of the work


VOICES = ("none", "track", "waveform", "file", "part", "part to the end")


@pytest.mark.parametrize("kind", VOICES)
def test_voices_travel_to_the_worker(kind: str, wav: Path, tmp_path: Path) -> None:
    windows = np.random.default_rng(1).normal(size=(12, 16, 29)).astype(np.float32)
    voice: AnyVoice = {
        "none": None,
        "track": AudioTrack(windows),
        "waveform": load_waveform(wav),
        "file": wav,
        "part": parts(wav)[1],
        "part to the end": parts(wav)[0],
    }[kind]
    if isinstance(voice, AudioTrack):
        write_track(tmp_path / "v.npy", voice)
    if isinstance(voice, Waveform):
        write_waveform(tmp_path / "v.npy", voice)
    back = voice_from(tmp_path, voice_fields(voice, "v.npy"))
    if isinstance(voice, AudioTrack):
        assert isinstance(back, AudioTrack) and len(back) == len(voice)
        assert np.array_equal(back.around(3), voice.around(3))
    elif isinstance(voice, Waveform):
        assert isinstance(back, Waveform) and np.array_equal(back.samples, voice.samples)
    else:
        assert back == voice


def test_an_unknown_voice_is_no_message(tmp_path: Path) -> None:
    with pytest.raises(ProtocolError, match="'tune'"):
        voice_from(tmp_path, {"kind": "tune", "path": "x"})
    with pytest.raises(ProtocolError, match="plain file name"):
        voice_from(tmp_path, {"kind": "waveform", "file": "../x"})


def spoken(egs: tuple[Path, Avatar], directory: Path, voice: AnyVoice) -> BakeJob:
    """Its files name one voice, however that is given, so that equal pictures are equal files."""
    return replace(job_for(*egs, directory, 3, voice=voice), voice_digest=64 * "0")


def test_builtin_and_worker_compute_what_the_track_gives(
    egs: tuple[Path, Avatar], wav: Path, tmp_path: Path
) -> None:
    builtin = BuiltinEngine("numpy")
    part = parts(wav)[1]
    list(builtin.bake(spoken(egs, tmp_path / "track", track_for(egs[1], part))))
    wanted = files(tmp_path / "track")
    assert len(wanted) == 3
    worker = WorkerEngine(Path(sys.executable), tmp_path / "log", backend="numpy")
    voices: dict[str, AnyVoice] = {"part": part, "samples": decoded(part)}
    try:
        for name, engine in (("builtin", builtin), ("worker", worker)):
            for kind, voice in voices.items():
                out = tmp_path / f"{name} {kind}"
                steps = list(engine.bake(spoken(egs, out, voice)))
                assert files(out) == wanted
                assert (steps[0].done, steps[0].total) == (0, 3)
                assert [step.number for step in steps if step.number] == [1, 2, 3]
        assert not list(worker._files.folder.glob("voice-*"))
    finally:
        worker.close()


def test_a_sound_that_is_gone_is_an_error_of_the_sound(
    egs: tuple[Path, Avatar], tmp_path: Path
) -> None:
    with pytest.raises(AudioError, match=r"gone\.wav"):
        list(BuiltinEngine("numpy").bake(spoken(egs, tmp_path / "out", tmp_path / "gone.wav")))


def test_a_stopped_bake_abandons_the_features(
    egs: tuple[Path, Avatar], wav: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, made = threading.Event(), []

    def slow(avatar: Avatar, voice: AnyVoice, wanted: range) -> Any:
        for k in range(1000):
            made.append(threading.current_thread())
            if k:
                go.wait(LIMIT)
            yield k / 1000
        return (yield from track_pieces(avatar, voice, wanted))

    monkeypatch.setattr("core.bake.features.track_pieces", slow)
    steps = BuiltinEngine("numpy").bake(spoken(egs, tmp_path / "out", wav))
    assert next(steps).done == 0
    while not next(steps).note.startswith(COMPUTING):
        pass
    until(lambda: len(made) == 2)
    steps.close()  # although the piece in hand still waits
    assert made[0].is_alive()
    go.set()
    made[0].join(LIMIT)
    assert not made[0].is_alive() and len(made) <= 2  # the piece in hand was the last
    assert math.isclose(next(track_pieces(egs[1], wav)), 0)
