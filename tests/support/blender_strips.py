"""Strips of a voice in a scene: sounds to put there, edits, and Blender's own mixdown to compare
with."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from egstalker.egstalker_blender.sound import strips

from core.audio.files import load_waveform
from tests.support.blender import waveform_of_strip, write_wav

RATE = 16000
FPS = 25


def noise(path: Path, seconds: float, seed: int) -> Path:
    """Band-limited: two strips, each placed up to half a sample beside ours, may overlap."""
    count = round(seconds * RATE)
    spectrum = np.fft.rfft(np.random.default_rng(seed).normal(size=count))
    frequency = np.fft.rfftfreq(count, 1 / RATE)
    samples = np.fft.irfft(np.where((frequency > 100) & (frequency < 800), spectrum, 0), count)
    return write_wav(path, np.repeat((0.3 * samples / np.abs(samples).max())[:, None], 2, axis=1))


def put(strip: Any, name: str, older: str, value: float) -> None:
    setattr(strip, name if hasattr(strip, name) else older, value)


def moved(strip: Any, frames: float) -> None:
    name = "content_start" if hasattr(strip, "content_start") else "frame_start"
    setattr(strip, name, getattr(strip, name) + frames)


def voice_of(scene: Any, obj: Any) -> Any:
    return strips.voice_strips(scene, obj)


def names(scene: Any, obj: Any) -> list[str]:
    found = voice_of(scene, obj)
    return (
        [w.name for w in found.windows] if isinstance(found, strips.VoiceStrips) else [found.name]
    )


def mixdown(scene: Any, folder: Path, first: int, last: int) -> np.ndarray:
    """The scene's sound from frame `first` to before `last`, mono at 16 kHz."""
    path = folder / "mixed.wav"
    mix_down(scene, first, last - 1, path)
    return load_waveform(path).samples


def mix_down(scene: Any, first: int, last: int, path: Path, rate: int = RATE) -> None:
    """Write the scene's sound from frame `first` to `last` to a WAV file, by this Blender."""
    scene.frame_start, scene.frame_end = first, last
    scene.render.ffmpeg.audio_mixrate = rate
    with bpy.context.temp_override(scene=scene, view_layer=scene.view_layers[0]):
        bpy.ops.sound.mixdown(filepath=str(path), container="WAV", codec="PCM", format="S16")


def agrees(scene: Any, obj: Any, folder: Path) -> None:
    """The voice is what Blender plays, to a sample at each strip's place."""
    found = voice_of(scene, obj)
    ours = waveform_of_strip(found).samples
    first, last = int(found.left), int(np.ceil(found.right))
    truth = mixdown(scene, folder, first, last)
    late = round((found.left - first) / FPS * RATE)
    count = min(len(truth) - late, len(ours)) - 1
    assert count > 0.5 * RATE
    # Blender fades the ends of a strip: compare from edge to edge.
    frames = [edge for window in found.windows for edge in (window.left, window.right)]
    edges = {round((frame - found.left) / FPS * RATE) for frame in frames}
    for start, stop in itertools.pairwise(sorted({0, count, *(min(e, count) for e in edges)})):
        if stop - start > 4800:
            inner = slice(start + 1600, stop - 1600)
            there = truth[late + inner.start : late + inner.stop]
            assert distance(there, ours[inner]) < 0.1, (start, stop)


def distance(one: np.ndarray, two: np.ndarray) -> float:
    """Relative, after the best shift by at most two samples, whole or not: Blender's mixer places a
    strip between samples."""
    window = np.hanning(len(one))
    a, b = (np.fft.rfft(each * window) for each in (one, two))
    turn = 2j * np.pi * np.fft.rfftfreq(len(one))
    least = min(np.linalg.norm(a * np.exp(turn * s) - b) for s in np.arange(-2, 2.01, 0.05))
    return float(least / max(np.linalg.norm(b), 1.0))
