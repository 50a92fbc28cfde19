"""The voice of an avatar in the form that core needs: a file if core can read it, else samples.

A strip's volume is left out on purpose: it belongs to the mix, not to the voice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from ...core.audio.features import is_feature_file
from ...core.audio.files import decoded, part_of
from ...core.audio.wav import wav_layout
from ...core.errors import AudioError
from ...core.records.voice import RATE, PlacedSound, SoundMix, SoundPart, Voice, Waveform
from .decode import waveform_of_bytes, waveform_of_file
from .elsewhere import mixing_elsewhere
from .strips import VoiceStrips
from .windows import StripWindow

Source = StripWindow | VoiceStrips | Path | None
"""A strip, several, a sound file or feature file, or no voice."""


@dataclass(frozen=True, eq=False)
class Undecoded:
    """A packed, compressed or retimed sound. decode: may be called once, on any thread. longest:
    upper bound of its length in seconds, None if only decoding shows it."""

    decode: Callable[[], Waveform]
    longest: float | None


def voice_from(source: Source) -> Voice | Undecoded | None:
    """The voice of a source. Files that core reads by itself are not decoded: features (.npy) and
    plain WAV, including the part of a WAV that a strip plays. A muted strip gives zeros. A
    retimed strip is mixed down by a second Blender. Quick, for the main thread. AudioError if the
    file is missing or broken; decoding raises it, too."""
    if isinstance(source, VoiceStrips):
        return _mixed_voice(source)
    if isinstance(source, StripWindow):
        return _strip_voice(source)
    if source is None or is_feature_file(source) or _is_plain_wav(source):
        return source
    return Undecoded(partial(waveform_of_file, source), None)


def decoded_voice(voice: Voice | Undecoded | None) -> Voice | None:
    return voice.decode() if isinstance(voice, Undecoded) else voice


def _strip_voice(window: StripWindow) -> Voice | Undecoded:
    if window.muted:
        return Waveform(np.zeros(max(round(window.seconds * RATE), 1), np.float32))
    if window.retimed:
        return Undecoded(mixing_elsewhere(window), window.seconds)
    part = SoundPart(
        path=window.path,
        skip=window.skip,
        seconds=window.seconds,
        # A strip is whole frames long: an untrimmed one must not lose the last part of a frame.
        slack=None if window.cut else 1 / window.fps,
        name=window.name,
    )
    if window.packed is None and _is_plain_wav(window.path):
        return part

    def decode() -> Waveform:
        if window.packed is not None:
            return part_of(waveform_of_bytes(window.packed, window.path.name), part)
        return part_of(waveform_of_file(window.path), part)

    return Undecoded(decode, window.seconds + (part.slack or 0.0))


def _mixed_voice(voice: VoiceStrips) -> Voice | Undecoded:
    """Each strip's sound at its place."""
    sounds = [((w.left - voice.left) / voice.fps, _strip_voice(w)) for w in voice.windows]

    def mix() -> SoundMix:
        placed = [(at, decoded_voice(sound)) for at, sound in sounds]
        parts = tuple(PlacedSound(at, s) for at, s in placed if isinstance(s, SoundPart | Waveform))
        return SoundMix(parts, voice.seconds)

    if all(isinstance(sound, SoundPart) for _, sound in sounds):
        return mix()
    longest = voice.seconds + 1 / voice.fps
    return Undecoded(lambda: decoded(mix()), longest)


def _is_plain_wav(path: Path) -> bool:
    """Decides by the header. AudioError if the file is missing or broken."""
    if not path.is_file():
        raise AudioError(f"sound file {str(path)!r} is not there; link it again")
    return wav_layout(path) is not None
