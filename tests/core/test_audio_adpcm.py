"""ADPCM and GSM: the sounds of old recorders and telephones."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from core.audio.adpcm import IMA, MICROSOFT, Blocks
from core.audio.files import load_waveform, sound_length
from core.audio.samples import samples_of
from core.audio.wav import load_wav, wav_reader
from core.errors import AudioError
from tests.support.sound_files import wav

RNG = np.random.default_rng(5)
VOICE = np.cumsum(RNG.normal(0, 0.02, (9000, 2)), 0) % 0.8 - 0.4


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    return tmp_path / "sound.wav"


@pytest.mark.parametrize("subtype", ["MS_ADPCM", "IMA_ADPCM"])
@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (16000, 2), (44100, 1), (48000, 2)])
def test_adpcm_equals_soundfiles_bit_for_bit(
    sound: Path, subtype: str, rate: int, channels: int
) -> None:
    soundfile = pytest.importorskip("soundfile", reason="needs soundfile, the oracle of reading")
    soundfile.write(sound, VOICE[:, :channels], rate, subtype=subtype)
    theirs, _ = soundfile.read(sound, dtype="float32", always_2d=True)
    found = wav_reader(sound)
    assert found is not None and 9000 <= found.length <= len(theirs)
    expected = theirs[: found.length].mean(1, dtype=np.float64).astype(np.float32)
    np.testing.assert_allclose(found.read(0, found.length), expected, rtol=0, atol=1e-7)
    for start, stop in ((0, 1), (3001, 5003), (found.length - 7, found.length)):
        part = found.read(start, stop)
        assert np.array_equal(part, found.read(0, found.length)[start:stop])
    assert sound_length(sound) == len(load_waveform(sound)) == len(samples_of(sound)[0][:])


def block(code: int, channels: int, size: int) -> bytes:
    return RNG.integers(0, 256, Blocks(code, size, channels).size, np.uint8).tobytes()


@pytest.mark.parametrize("code", [MICROSOFT, IMA])
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_a_cut_off_block_keeps_what_is_there(sound: Path, code: int, channels: int) -> None:
    """Any bytes are samples, so a file may be damaged."""
    blocks = Blocks(code, 240, channels)
    data = b"".join(block(code, channels, 240) for _ in range(3))
    whole = blocks.decode(data)
    assert len(whole) == 3 * blocks.samples(240) and np.abs(whole).max() <= 1
    for cut in (1, 60, 239):
        body = wav(data[:-cut], code=code, channels=channels, rate=16000, bits=4)
        at = body.index(b"fmt ") + 20  # bytes of a block
        sound.write_bytes(body[:at] + struct.pack("<H", 240) + body[at + 2 :])
        found = wav_reader(sound)
        assert found is not None
        assert found.length == 2 * blocks.samples(240) + blocks.samples(240 - cut)
        found.read(0, found.length)


def test_impossible_blocks_are_refused(sound: Path) -> None:
    sound.write_bytes(wav(bytes(400), code=IMA, bits=4))
    with pytest.raises(AudioError, match="ADPCM in blocks of 1 bytes"):
        load_wav(sound)


@pytest.mark.parametrize("name", ["a.gsm", "renamed.wav", "without"])
def test_raw_gsm_is_known_by_its_frames(tmp_path: Path, name: str) -> None:
    soundfile = pytest.importorskip("soundfile", reason="needs soundfile")
    wave = 0.5 * np.sin(np.arange(16000) / 8000 * 2 * np.pi * 300)
    soundfile.write(tmp_path / "x", wave, 8000, format="RAW", subtype="GSM610")
    (tmp_path / "x").rename(tmp_path / name)
    soundfile.write(tmp_path / "in.wav", wave, 8000, subtype="GSM610")
    found = load_waveform(tmp_path / name).samples
    assert len(found) == 32000
    expected = 0.5 * np.sin(np.arange(4000, 28000) / 16000 * 2 * np.pi * 300)
    assert np.corrcoef(found[4000:28000], expected)[0, 1] > 0.98
    assert load_wav(tmp_path / "in.wav") is None
    in_wav = load_waveform(tmp_path / "in.wav").samples
    assert np.corrcoef(in_wav[4000:28000], expected)[0, 1] > 0.98


def test_a_telephones_recording(shared: Path) -> None:
    pytest.importorskip("soundfile", reason="needs soundfile")
    path = shared / "real" / "speech" / "phone_russian.gsm"
    if not path.exists():
        pytest.skip("needs the recording")
    waveform = load_waveform(path)
    assert waveform.seconds == pytest.approx(73.78, abs=0.01)
    assert 0.02 < waveform.samples.std() < 0.3
