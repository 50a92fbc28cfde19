"""The voice among channels, and samples that are a little wrong."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from core.audio import channels
from core.audio.files import load_waveform
from core.audio.wav import load_wav
from core.audio.waveform import from_samples
from core.errors import AudioError
from tests.support.sound_files import GUID_TAIL, chunk, encoded, wav

RATE = 16000
VOICE = (0.4 * np.sin(np.arange(RATE) / 9) * np.sin(np.arange(RATE) / 1700)).astype(np.float32)
OTHER = (0.3 * np.sin(np.arange(RATE) / 23)).astype(np.float32)


def mixed(*parts: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    found = from_samples(np.stack(parts, 1), RATE)
    return found.samples, found.notes


@pytest.mark.parametrize("level", [0.95, 0.8])
def test_of_channels_that_cancel_the_louder_one_counts(level: float) -> None:
    samples, notes = mixed(-level * VOICE, VOICE)
    np.testing.assert_array_equal(samples, VOICE)
    assert len(notes) == 1 and "cancel each other" in notes[0]


def test_a_silent_channel_does_not_make_the_voice_quieter() -> None:
    hiss = 1e-3 * np.random.default_rng(0).standard_normal(RATE).astype(np.float32)
    for quiet in (0 * VOICE, hiss):
        samples, notes = mixed(quiet, VOICE)
        np.testing.assert_array_equal(samples, VOICE)
        assert notes == ()


def test_a_usual_stereo_sound_is_its_mean() -> None:
    samples, notes = mixed(VOICE, OTHER)
    expected = np.stack([VOICE, OTHER], 1).mean(1, dtype=np.float64).astype(np.float32)
    np.testing.assert_array_equal(samples, expected)
    assert notes == ()


def test_the_centre_of_5_1_keeps_its_level() -> None:
    music = 0.5 * OTHER
    samples, notes = mixed(music, -music, VOICE, OTHER, music, music)
    np.testing.assert_array_equal(samples, VOICE)
    assert "centre of 6 channels" in notes[0]
    samples, _ = mixed(VOICE, VOICE, 0 * VOICE, 3 * OTHER, 0 * VOICE, 0 * VOICE)
    np.testing.assert_allclose(samples, VOICE, atol=1e-6)  # and the low-frequency channel is none


def test_a_wav_names_its_channels(tmp_path: Path) -> None:
    """FR, FC, FL in the order of the mask's bits: the second is the right one here."""
    align = struct.pack("<HHIIHH", 0xFFFE, 3, RATE, RATE * 12, 12, 32)
    fmt = align + struct.pack("<HHIH", 22, 32, 0b111, 3) + GUID_TAIL
    data = np.stack([OTHER, OTHER, VOICE], 1).astype("<f4").tobytes()
    body = b"WAVE" + chunk(b"fmt ", fmt) + chunk(b"data", data)
    path = tmp_path / "three.wav"
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    found = load_wav(path)
    assert found is not None
    np.testing.assert_array_equal(found.samples, VOICE)


@pytest.mark.parametrize("full", [2**15, 2**31])
def test_floats_at_the_scale_of_integers(tmp_path: Path, full: int) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wav(encoded(VOICE * np.float32(full), 3, 32), code=3, bits=32))
    found = load_waveform(path)
    np.testing.assert_allclose(found.samples, VOICE, atol=1e-6)
    assert len(found.notes) == 1 and f"full scale {full}" in found.notes[0]
    hot = from_samples(4 * VOICE, RATE)  # louder than full scale, as mixes of floats are
    np.testing.assert_array_equal(hot.samples, 4 * VOICE)


def test_a_few_broken_samples_become_silence(tmp_path: Path) -> None:
    spoiled = VOICE.copy()
    spoiled[[7, 400, 9000]] = np.nan, np.inf, -np.inf
    expected = VOICE.copy()
    expected[[7, 400, 9000]] = 0
    (tmp_path / "a.wav").write_bytes(wav(encoded(spoiled, 3, 32), code=3, bits=32))
    found = load_waveform(tmp_path / "a.wav")
    np.testing.assert_array_equal(found.samples, expected)
    assert "3 samples are not finite" in found.notes[0]
    stereo, _ = mixed(spoiled, spoiled)
    np.testing.assert_array_equal(stereo, expected)
    with pytest.raises(AudioError, match="not finite"):
        from_samples(np.where(np.arange(RATE) % 20, VOICE, np.nan), RATE)


def test_a_long_sound_is_judged_by_pieces_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = []

    def read(start: int, stop: int) -> np.ndarray:
        looked.append(stop - start)
        return np.stack([VOICE[start % 9000 : start % 9000 + stop - start]] * 2, 1) * (1, -1)

    monkeypatch.setattr(channels, "PIECES", 10)
    monkeypatch.setattr(channels, "PIECE", 1000)
    sound = channels.voice_of(read, 10**9, RATE, 2, "long", floating=False)
    assert len(looked) <= 11 and "cancel" in sound.notes[0]
