"""Sound files of any kind, with and without the packages that decode them."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest

from core.audio.files import load_waveform
from core.errors import AudioError, MissingPackageError
from tests.support.sound_files import encoded, wav

TONE = np.round(np.sin(np.arange(9000) / 9) * 16384) / 32768


def fake_audioread(monkeypatch: pytest.MonkeyPatch, pieces: Iterable[bytes]) -> None:
    """audioread gives `pieces` of 16-bit stereo at 32 kHz for any file."""
    audioread = pytest.importorskip("audioread", reason="needs audioread")

    class File:
        channels, samplerate, duration = 2, 32000, 0.1

        def __enter__(self) -> File:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def __iter__(self) -> Iterator[bytes]:
            return iter(pieces)

    monkeypatch.setattr(audioread, "audio_open", lambda path: File())


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


def test_an_mp3_has_no_seams(tmp_path: Path) -> None:
    """Read in blocks, each begins with a click: soundfile seeks between them, and the decoder
    loses what an mp3 frame takes from earlier ones."""
    soundfile = pytest.importorskip("soundfile", reason="needs soundfile")
    path = tmp_path / "voice.mp3"
    soundfile.write(path, np.sin(np.arange(300_000) / 9) / 2, 16000, format="MP3")
    whole, rate = soundfile.read(path, dtype="float32")
    assert rate == 16000  # the last bit is the decoder's choice
    np.testing.assert_allclose(load_waveform(path).samples, whole, rtol=0, atol=1e-6)


def test_audioread_follows_soundfile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Warnings are errors here: those of its import must not come out."""
    data = encoded(np.repeat(TONE[:, None], 2, 1).ravel(), 1, 16)
    fake_audioread(monkeypatch, [data[:4096], data[4096:4100], b"", data[4100:]])
    path = tmp_path / "voice.m4a"
    path.write_bytes(b"something")
    assert len(load_waveform(path)) == len(TONE) // 2


def test_ffmpeg_may_take_its_time_on_a_busy_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    audioread = pytest.importorskip("audioread", reason="needs audioread")
    ffdec = pytest.importorskip("audioread.ffdec", reason="needs audioread")
    asked = []

    class File:
        channels, samplerate = 1, 16000

        def __enter__(self) -> File:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def read_data(self, timeout: float = 10.0) -> Iterator[bytes]:
            asked.append(timeout)
            return iter([encoded(TONE, 1, 16)])

    monkeypatch.setattr(ffdec, "FFmpegAudioFile", File)
    monkeypatch.setattr(audioread, "audio_open", lambda path: File())
    path = tmp_path / "voice.m4a"
    path.write_bytes(b"something")
    assert len(load_waveform(path)) == len(TONE)
    assert min(asked) >= 60


def test_a_header_that_lies_about_its_length_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.audio.waveform.MAX_SECONDS", 1)
    monkeypatch.setattr("core.audio.decoders.MAX_SECONDS", 1)
    second = bytes(4 * 32000)
    endless = (pytest.fail("reads on") if k > 3 else second for k in itertools.count())
    fake_audioread(monkeypatch, endless)
    path = tmp_path / "voice.m4a"
    path.write_bytes(b"something")
    with pytest.raises(AudioError, match="hours"):
        load_waveform(path)


def test_a_sound_without_samples_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_audioread(monkeypatch, [])
    path = tmp_path / "voice.m4a"
    path.write_bytes(b"something")
    with pytest.raises(AudioError, match="holds no sound"):
        load_waveform(path)


def test_what_does_not_fit_in_memory_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pieces() -> Iterator[bytes]:
        raise MemoryError
        yield b""

    fake_audioread(monkeypatch, pieces())
    path = tmp_path / "voice.m4a"
    path.write_bytes(b"something")
    with pytest.raises(AudioError, match=r"voice\.m4a does not fit in memory; cut it into parts"):
        load_waveform(path)


def test_without_soundfile_the_package_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "soundfile", None)
    path = tmp_path / "voice.m4a"
    path.write_bytes(b"something")
    with pytest.raises(
        MissingPackageError, match=r"package soundfile \(.*\); install it, or convert"
    ):
        load_waveform(path)


@pytest.mark.parametrize(
    ("start", "kind"),
    [(b"\0\0\0 ftypM4A ", "MP4"), (b"\xff\xf1P\x80", "AAC"), (b"\x1aE\xdf\xa3", "WebM")],
)
def test_what_only_ffmpeg_decodes_is_named_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: bytes, kind: str
) -> None:
    pytest.importorskip("soundfile", reason="needs soundfile")
    monkeypatch.setenv("PATH", str(tmp_path))
    path = tmp_path / "voice.m4a"
    path.write_bytes(start + bytes(2000))
    with pytest.raises(AudioError, match=f"{kind}.* needs the program ffmpeg, which is not on"):
        load_waveform(path)


def test_a_plain_wav_needs_no_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "soundfile", None)
    path = tmp_path / "voice.wav"
    path.write_bytes(wav(encoded(TONE, 1, 16)))
    assert len(load_waveform(path)) == len(TONE)


@pytest.mark.parametrize("name", ["junk.mp3", "junk.wav", "junk.raw", "junk.flac"])
def test_what_no_decoder_knows_is_one_line(tmp_path: Path, name: str) -> None:
    pytest.importorskip("soundfile", reason="needs soundfile")
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
