"""The voice of an avatar as the core takes it: a file where it can read it, else decoded samples.

A strip's volume is left out on purpose: it belongs to the mix, not to the voice.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...core.audio.features import is_feature_file
from ...core.audio.files import part_of
from ...core.audio.wav import wav_layout
from ...core.errors import AudioError
from ...core.records.voice import RATE, SoundPart, Voice, Waveform
from .decode import waveform_of_bytes, waveform_of_file
from .mixdown import mixed_strip
from .strips import StripWindow

Source = StripWindow | Path | None
"""A strip, a sound file or feature file, or no voice."""


def voice_from(source: Source) -> Voice | None:
    """Nothing is decoded where the core reads the file by itself: features (.npy) and plain WAV,
    also the part of one that a strip plays. Of a muted strip come zeros; a retimed one is mixed
    down by Blender; a packed or compressed sound is decoded here. On the main thread only.
    AudioError where the file is missing or cannot be decoded."""
    if isinstance(source, StripWindow):
        return _strip_voice(source)
    if source is None or is_feature_file(source) or _is_plain_wav(source):
        return source
    return waveform_of_file(source)


def _strip_voice(window: StripWindow) -> Voice:
    if window.muted:
        return Waveform(np.zeros(max(round(window.seconds * RATE), 1), np.float32))
    if window.retimed:
        return mixed_strip(window)
    part = SoundPart(
        path=window.path,
        skip=window.skip,
        seconds=window.seconds,
        # A strip is whole frames long: an untrimmed one must not lose the last part of a frame.
        slack=None if window.cut else 1 / window.fps,
        name=window.name,
    )
    if window.packed is not None:
        return part_of(waveform_of_bytes(window.packed, window.path.name), part)
    if _is_plain_wav(window.path):
        return part
    return part_of(waveform_of_file(window.path), part)


def _is_plain_wav(path: Path) -> bool:
    """By its header. AudioError where there is no such file, or where it is broken."""
    if not path.is_file():
        raise AudioError(f"sound file {str(path)!r} is not there; link it again")
    return wav_layout(path) is not None
