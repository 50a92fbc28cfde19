"""WAV files as streaming writers, crashed recorders and other systems leave them."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from core.audio.files import load_waveform, sound_length
from core.audio.samples import samples_of
from core.audio.wav import load_wav
from core.errors import AudioError
from tests.support.sound_files import chunk, encoded, form, wav

RAMP = np.linspace(-1, 0.96875, 16000)
DATA = encoded(RAMP, 1, 16)
TRUE = np.round(RAMP * 32768) / 32768


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    return tmp_path / "sound.wav"


def check(path: Path, samples: int = len(RAMP), said: str = "") -> None:
    """The whole sound is there by every way of reading it, with one note if `said`."""
    waveform = load_waveform(path)
    np.testing.assert_allclose(waveform.samples, TRUE[:samples], atol=1e-6)
    assert sound_length(path) == samples
    read, notes = samples_of(path)
    np.testing.assert_array_equal(read[:], waveform.samples)
    assert notes == waveform.notes and len(notes) == bool(said)
    assert all(said in note for note in notes)


SIZES = [
    (2_000_000_000, 2_000_000_036), (1_000_000_000, 1_000_000_036), (0x7FFFFFFF, 0x7FFFFFFF),
    (0xFFFFFFFF, 0xFFFFFFFF), (0, 0xFFFFFFFF), (0, 0), (0, 36), (900_001, 900_037),
]  # fmt: skip


@pytest.mark.parametrize(("size", "riff_size"), SIZES)
def test_a_placeholder_means_to_the_end(sound: Path, size: int, riff_size: int) -> None:
    sound.write_bytes(wav(DATA, size=size, riff_size=riff_size))
    check(sound, said="read to the end of the file")


def test_an_empty_data_chunk_before_samples_was_never_finished(sound: Path) -> None:
    """RIFF has the right size, data has none; what follows is sound and not a chunk."""
    sound.write_bytes(wav(DATA, size=0))
    check(sound, said="read to the end")


def test_a_few_missing_bytes_are_noted_and_half_a_sound_is_refused(sound: Path) -> None:
    sound.write_bytes(wav(DATA)[:-301])
    check(sound, len(RAMP) - 151, "the last 301 bytes of its sound are missing")
    sound.write_bytes(wav(DATA)[:-15000])
    with pytest.raises(AudioError, match="cut off: its header promises 32000 bytes"):
        load_wav(sound)


def large(kind: bytes, data_size: int, in_chunk: int = 0xFFFFFFFF) -> bytes:
    """A file with 64-bit sizes."""
    ds64 = struct.pack("<QQQI", 0, data_size, len(RAMP), 0)
    body = b"WAVE" + chunk(b"ds64", ds64) + chunk(b"fmt ", form(1, 1, 16000, 16))
    body += chunk(b"data", DATA, in_chunk) + chunk(b"LIST", b"later")
    return kind + struct.pack("<I", 0xFFFFFFFF) + body


@pytest.mark.parametrize("kind", [b"RF64", b"BW64"])
def test_files_with_64_bit_sizes(sound: Path, kind: bytes) -> None:
    sound.write_bytes(large(kind, len(DATA)))
    check(sound)
    sound.write_bytes(large(kind, len(DATA), len(DATA)))
    check(sound)


def test_big_endian_files(sound: Path) -> None:
    def part(kind: bytes, data: bytes) -> bytes:
        return kind + struct.pack(">I", len(data)) + data

    for bits, width in ((16, 2), (24, 3), (32, 4)):
        align = struct.pack(">HHIIHH", 1, 1, 16000, 16000 * width, width, bits)
        wide = np.round(RAMP * 2.0**31).clip(-(2**31), 2**31 - 1).astype(">i4")
        data = wide.view(np.uint8).reshape(-1, 4)[:, :width].tobytes()
        body = b"WAVE" + part(b"fmt ", align) + part(b"data", data)
        sound.write_bytes(part(b"RIFX", body))
        found = load_wav(sound)
        assert found is not None
        np.testing.assert_allclose(found.samples, RAMP, atol=2 / 32768)


def test_odd_chunks_with_and_without_their_padding(sound: Path) -> None:
    unpadded = b"LIST" + struct.pack("<I", 5) + b"abcde"
    for before in (chunk(b"LIST", b"abcde"), unpadded, unpadded * 2 + chunk(b"bext", bytes(603))):
        sound.write_bytes(wav(DATA, before=before))
        check(sound)


@pytest.mark.parametrize(("code", "name"), [(6, "ALAW"), (7, "ULAW")])
def test_the_codes_of_telephones_equal_soundfiles(sound: Path, code: int, name: str) -> None:
    soundfile = pytest.importorskip("soundfile", reason="needs soundfile, the oracle of reading")
    soundfile.write(sound, np.arange(256) / 256, 8000, subtype=name)
    raw = bytearray(sound.read_bytes())
    raw[-256:] = bytes(range(256))
    sound.write_bytes(raw)
    theirs, _ = soundfile.read(sound, dtype="float32")
    sound.write_bytes(wav(bytes(range(256)), code=code, rate=16000, bits=8))
    found = load_wav(sound)
    assert found is not None
    np.testing.assert_array_equal(found.samples, theirs)
