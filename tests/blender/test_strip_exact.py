"""One untouched strip against Blender's mixdown, wide band.

Blender mixes at 48 kHz. A sound of that rate comes out as it is in its file, at most one sample
beside our place. A sound of 16 kHz differs below 6 kHz by the 16 bits of the mixdown alone; the
eighth by which white noise differs lies above 7 kHz, where converting the mixdown back to 16 kHz
filters it.
"""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from egstalker.egstalker_blender.sound import windows

from core.audio.files import load_waveform
from tests.support.blender import waveform_of_strip, write_wav

FULL = 48000  # samples a second of a mixdown
STEP = 1 / 32767  # of 16 bits


def noise(path: Path, rate: int, high: float) -> Path:
    """Two equal channels, two seconds: Blender makes one channel quieter."""
    count = 2 * rate
    spectrum = np.fft.rfft(np.random.default_rng(0).normal(size=count))
    frequency = np.fft.rfftfreq(count, 1 / rate)
    samples = np.fft.irfft(np.where((frequency > 100) & (frequency < high), spectrum, 0), count)
    stereo = np.repeat(0.3 * samples[:, None] / np.abs(samples).max(), 2, axis=1)
    return write_wav(path, stereo, rate)


def stored(path: Path) -> np.ndarray:
    """The first channel, (n,) in [-1, 1], at the mixer's rate, as the file has it."""
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getsampwidth()) == (FULL, 2)
        values = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        return values.reshape(-1, file.getnchannels())[:, 0] * STEP


def mixed(scene: Any, path: Path, sound: Path, first: int, at: int) -> Any:
    """Mix frames `first` to 60 of a strip at frame `at` into `path`. Returns the strip's window."""
    scene.sequence_editor_clear()
    strip = windows.add_strip(scene, sound, at)
    scene.frame_start, scene.frame_end = first, 60
    bpy.ops.sound.mixdown(filepath=str(path), container="WAV", codec="PCM", format="S16")
    return windows.window_of_strip(scene, strip.name)


@pytest.mark.parametrize(("fps", "base"), [(25, 1), (24, 1.001), (30, 1.001), (12, 1)])
@pytest.mark.parametrize(("first", "at"), [(1, 1), (1, 8), (3, 1)])
def test_a_sound_of_the_mixers_rate_is_the_file(
    scene: Any, tmp_path: Path, fps: int, base: float, first: int, at: int
) -> None:
    scene.render.fps, scene.render.fps_base = fps, base
    sound = noise(tmp_path / "noise.wav", FULL, 20000)
    window = mixed(scene, tmp_path / "mixed.wav", sound, first, at)
    file, truth = stored(sound), stored(tmp_path / "mixed.wav")
    begin = round(0.8 * FULL)  # after the strip's fade
    ours = round((window.skip + (first - window.left) / window.fps) * FULL) + begin
    heard = truth[begin : begin + FULL // 2]
    differences = [
        np.abs(heard - file[ours + late : ours + late + FULL // 2]).max() for late in (-1, 0, 1)
    ]
    assert min(differences) < 2 * STEP


def test_a_sound_of_the_features_rate_is_the_file(scene: Any, tmp_path: Path) -> None:
    sound = noise(tmp_path / "noise.wav", 16000, 6000)
    window = mixed(scene, tmp_path / "mixed.wav", sound, 1, 1)
    ours = waveform_of_strip(window).samples[1600:30000]
    truth = load_waveform(tmp_path / "mixed.wav").samples[1600:30000]
    assert np.linalg.norm(truth - ours) < 0.003 * np.linalg.norm(ours)
