"""WAV files: every sample format, and every way in which a file can be wrong."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.audio.files import load_waveform
from core.audio.wav import load_wav, read_layout
from core.errors import AudioError
from tests.support.sound_files import chunk, encoded, form, wav

FORMATS = [(1, 8), (1, 16), (1, 24), (1, 32), (3, 32), (3, 64)]
RAMP = np.linspace(-1, 0.96875, 64)  # every value is exact in 8 bits
DATA = encoded(RAMP, 1, 16)


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    return tmp_path / "sound.wav"


def load(path: Path) -> list[float]:
    waveform = load_wav(path)
    assert waveform is not None
    return [float(value) for value in waveform.samples]


@pytest.mark.parametrize("extensible", [False, True])
@pytest.mark.parametrize(("code", "bits"), FORMATS)
def test_every_sample_format(sound: Path, code: int, bits: int, extensible: bool) -> None:
    exact = np.round(RAMP * 64) / 64
    sound.write_bytes(wav(encoded(exact, code, bits), code, bits=bits, extensible=extensible))
    assert load(sound) == exact.tolist()


@pytest.mark.parametrize(("code", "bits"), FORMATS)
def test_equals_soundfile(sound: Path, code: int, bits: int) -> None:
    soundfile = pytest.importorskip("soundfile", reason="needs soundfile, the oracle of reading")
    samples = np.random.default_rng(bits).uniform(-1, 0.99, (2000, 2))
    sound.write_bytes(wav(encoded(samples.ravel(), code, bits), code, 2, bits=bits))
    theirs, rate = soundfile.read(sound, dtype="float64")
    assert rate == 16000
    np.testing.assert_allclose(load(sound), theirs.mean(1), rtol=0, atol=1e-7)


def test_other_chunks_are_passed_over(sound: Path) -> None:
    data = encoded(np.array([0.5, -0.25]), 1, 16)
    odd = chunk(b"LIST", b"abc")
    sound.write_bytes(wav(data, before=odd, after=chunk(b"id3 ", b"later")))
    assert load(sound) == [0.5, -0.25]


@pytest.mark.parametrize(
    ("size", "riff_size"),
    [(0xFFFFFFFF, 0xFFFFFFFF), (0, 0), (0, 36), (0x7FFFFFFF, 0x7FFFFFFF), (0x7FFFF000, 0x7FFFF024)],
)
def test_placeholders_of_a_stream_mean_the_rest(sound: Path, size: int, riff_size: int) -> None:
    unfinished = wav(DATA, size=size, riff_size=riff_size) + b"\x01"  # half a sample at the end
    sound.write_bytes(unfinished)
    assert len(load(sound)) == len(RAMP)


def test_no_sound_is_not_what_comes_after_it(sound: Path) -> None:
    sound.write_bytes(wav(b"", after=chunk(b"LIST", b"not a sound")))
    with pytest.raises(AudioError, match="holds no sound"):
        load_wav(sound)


def test_rate_and_channels_reach_the_waveform(sound: Path) -> None:
    stereo = np.repeat(RAMP[:, None], 2, 1)
    sound.write_bytes(wav(encoded(stereo.ravel(), 1, 16), channels=2, rate=8000))
    assert len(load(sound)) == 2 * len(RAMP)


BROKEN = {
    "cut off": wav(DATA * 200)[:-9000],
    "promises 50001 bytes": wav(DATA * 200, size=50001),
    "no data chunk": wav(DATA)[:36],
    "0 channels": wav(DATA, channels=0),
    "65 channels": wav(DATA * 65, channels=65),
    "0 samples a second": wav(DATA, rate=0),
    "2e\\+09 samples a second": wav(DATA, rate=2_000_000_000),
    "before its format": b"RIFF\0\0\0\0WAVE" + chunk(b"data", DATA),
    "broken format": b"RIFF\0\0\0\0WAVE" + chunk(b"fmt ", b"short") + chunk(b"data", DATA),
    "64 bits in 8 bytes": wav(DATA, bits=64),
    "16 bits in 2 bytes": wav(DATA, code=3),
    "finite": wav(np.array([0, np.nan], "<f4").tobytes(), code=3, bits=32),
    "not finite": wav(np.array([0, 1e300], "<f8").tobytes(), code=3, bits=64),
}


@pytest.mark.parametrize("message", BROKEN)
def test_broken_files_say_why(sound: Path, message: str) -> None:
    sound.write_bytes(BROKEN[message])
    with pytest.raises(AudioError, match=message) as caught:
        load_waveform(sound)
    assert "sound.wav" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "data", [b"", b"RIFF", b"OggS" + DATA, b"RIFF\0\0\0\0AVI " + DATA, wav(DATA, code=0x31, bits=4)]
)
def test_what_is_no_plain_wav_is_left_to_others(sound: Path, data: bytes) -> None:
    sound.write_bytes(data)
    assert load_wav(sound) is None


def test_six_hours_are_checked_by_the_header_alone() -> None:
    layout = form(1, 1, 1000, 8)
    head = b"RIFF\0\0\0\0WAVE" + chunk(b"fmt ", layout) + b"data" + struct.pack("<I", 30_000_000)
    with pytest.raises(AudioError, match="8\\.3 hours"):
        read_layout(io.BytesIO(head), 40_000_000, "long.wav")


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_no_bytes_end_in_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    raw = bytearray(wav(DATA, 3, bits=32, extensible=True, before=chunk(b"LIST", b"abc")))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, 90))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "fuzz.wav"
    path.write_bytes(raw[: data.draw(st.integers(0, len(raw)))])
    try:
        waveform = load_wav(path)
    except AudioError as error:
        assert "\n" not in str(error)
    else:
        assert waveform is None or np.isfinite(waveform.samples).all()
