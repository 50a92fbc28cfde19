"""What Blender's own mixdown is given, and what it gives: frames, and WAV files (elsewhere.py)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...core.audio.wav import load_wav, wav_layout
from ...core.errors import AudioError
from ...core.records.voice import Waveform
from .windows import StripWindow

MIX_FPS = 100  # frames per second of the temporary scene for a file: 10 ms steps
MIX_RATE = 48000
COMPLETE = (
    0.9  # share of the range; some builds of Blender report success and write next to nothing
)


def range_of(window: StripWindow) -> tuple[int, int]:
    """First and last frame of the strip in copies.alone."""
    first = max(int(window.left - window.shift), 0)
    return first, first + max(int(window.right - window.left) - 1, 0)


def check_mixed(path: Path, seconds: float, name: str) -> None:
    """AudioError unless the WAV file is as long as what was to be mixed."""
    layout = wav_layout(path) if path.is_file() else None
    if layout is None or layout.length / layout.rate < COMPLETE * seconds:
        raise AudioError(f"{name} cannot be mixed down by this Blender; export it as WAV")


def loaded(path: Path) -> Waveform:
    mixed = load_wav(path)
    assert mixed is not None  # check_mixed has read its header
    return mixed


def loud(mixed: Waveform, mono: bool) -> Waveform:
    """Blender pans a mono source to two channels at equal power: each gets 1 / sqrt(2)."""
    return Waveform(mixed.samples * np.float32(np.sqrt(2))) if mono else mixed


def undecoded(name: str, error: str) -> str:
    reason = error.strip().splitlines()[-1].removeprefix("Error: ")
    return f"{name} cannot be decoded ({reason}); convert it to WAV"
