"""Sound files of any kind, with and without the packages that know them."""

from __future__ import annotations

import os
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from core.audio.files import load_waveform
from core.errors import AudioError, MissingPackageError
from tests.support.sound_files import encoded, wav

TONE = np.round(np.sin(np.arange(9000) / 9) * 16384) / 32768


def no_soundfile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "soundfile", None)


def fake_audioread(monkeypatch: pytest.MonkeyPatch, pieces: list[bytes] | None) -> None:
    """An audioread that gives `pieces` of 16-bit stereo at 32 kHz, or knows no file at all."""
    module = types.ModuleType("audioread")

    class DecodeError(Exception):
        pass

    class File:
        channels, samplerate, duration = 2, 32000, 0.1

        def __enter__(self) -> File:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def __iter__(self) -> Iterator[bytes]:
            return iter(pieces or [])

    def audio_open(path: str) -> File:
        if pieces is None:
            raise DecodeError
        return File()

    vars(module).update(DecodeError=DecodeError, audio_open=audio_open)
    monkeypatch.setitem(sys.modules, "audioread", module)


@pytest.mark.parametrize("suffix", ["flac", "ogg", "aiff"])
def test_compressed_sound_is_decoded(tmp_path: Path, suffix: str) -> None:
    soundfile = pytest.importorskip("soundfile", reason="needs soundfile")
    path = tmp_path / f"voice.{suffix}"
    soundfile.write(path, np.repeat(TONE[:, None], 2, 1), 16000)
    samples = load_waveform(path).samples
    tolerance = 0.05 if suffix == "ogg" else 0
    np.testing.assert_allclose(samples, TONE, rtol=0, atol=tolerance)


def test_flac_and_wav_give_the_same_numbers(tmp_path: Path) -> None:
    soundfile = pytest.importorskip("soundfile", reason="needs soundfile")
    soundfile.write(tmp_path / "a.flac", TONE, 44100, subtype="PCM_16")
    (tmp_path / "a.wav").write_bytes(wav(encoded(TONE, 1, 16), rate=44100))
    flac, plain = (load_waveform(tmp_path / name).samples for name in ("a.flac", "a.wav"))
    assert flac.tobytes() == plain.tobytes()


def test_a_wav_is_known_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "voice.mp3"
    path.write_bytes(wav(encoded(TONE, 1, 16)))
    assert np.array_equal(load_waveform(path).samples, TONE)


def test_audioread_follows_soundfile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(np.repeat(TONE[:, None], 2, 1).ravel(), 1, 16)
    no_soundfile(monkeypatch)
    fake_audioread(monkeypatch, [data[:4097], data[4097:4098], b"", data[4098:]])
    path = tmp_path / "voice.m4a"
    path.write_bytes(b"something")
    assert len(load_waveform(path)) == len(TONE) // 2


def test_a_header_that_lies_about_its_length_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.audio.waveform.MAX_SECONDS", 1)
    no_soundfile(monkeypatch)
    fake_audioread(monkeypatch, [bytes(4 * 10000)] * 4)
    path = tmp_path / "voice.m4a"
    path.write_bytes(b"something")
    with pytest.raises(AudioError, match="hours"):
        load_waveform(path)


def test_a_sound_without_samples_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_soundfile(monkeypatch)
    fake_audioread(monkeypatch, [])
    path = tmp_path / "voice.m4a"
    path.write_bytes(b"something")
    with pytest.raises(AudioError, match="holds no sound"):
        load_waveform(path)


def test_without_any_decoder_the_package_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_soundfile(monkeypatch)
    monkeypatch.setitem(sys.modules, "audioread", None)
    path = tmp_path / "voice.m4a"
    path.write_bytes(b"something")
    with pytest.raises(MissingPackageError, match="soundfile"):
        load_waveform(path)


@pytest.mark.parametrize("name", ["junk.mp3", "junk.wav", "junk.raw", "junk.flac"])
def test_what_no_decoder_knows_is_one_line(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("soundfile", reason="needs soundfile")
    fake_audioread(monkeypatch, None)
    path = tmp_path / name
    path.write_bytes(b"neither RIFF nor anything else " * 40)
    with pytest.raises(AudioError, match=f"{name} cannot be decoded.*convert it to WAV") as caught:
        load_waveform(path)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


def test_missing_empty_and_folder(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    for name, message in (("no.wav", "does not exist"), ("empty.wav", "empty"), ("", "a folder")):
        with pytest.raises(AudioError, match=message):
            load_waveform(tmp_path / name)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    with pytest.raises(AudioError, match="plain file"):
        load_waveform(tmp_path / "pipe.wav")


def test_a_real_voice(shared: Path) -> None:
    pytest.importorskip("soundfile", reason="needs soundfile")
    waveform = load_waveform(shared / "speech" / "jfk.flac")
    assert waveform.seconds == 11.0
    assert 0.05 < waveform.samples.std() < 0.3
