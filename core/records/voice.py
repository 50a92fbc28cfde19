"""The sound that drives an avatar: a file, a part of one, or decoded samples."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from .arrays import Float32
from .audio_track import AudioTrack
from .timeline import ROW_RATE

RATE = 16000  # samples a second of every waveform in this program


@dataclass(frozen=True, eq=False)
class Waveform:
    """Mono sound. samples (T,) float32, nominally in [-1, 1], finite. rate: samples a second.
    notes: what was mended when it was read, one line each."""

    samples: Float32
    rate: int = RATE
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate

    @property
    def rows(self) -> int:
        """Rows of its track: one for every 1/25 s that has begun before the sound ends (786 for
        31.44 s)."""
        return rows_of_samples(len(self.samples), self.rate)


def rows_of_samples(count: int, rate: int = RATE) -> int:
    return -(-count * int(ROW_RATE) // rate)


@dataclass(frozen=True)
class SoundPart:
    """The part of a sound file that a strip plays. skip: seconds of the file before the part,
    negative if silence comes first. seconds: its length. slack: if at most this many seconds of the
    file follow, the part extends to the file's end; None for an exact end. name: of the strip, for
    messages."""

    path: Path
    skip: float
    seconds: float
    slack: float | None = None
    name: str = ""


@dataclass(frozen=True, eq=False)
class PlacedSound:
    """at: seconds from the beginning of a mix to that of the sound."""

    at: float
    sound: SoundPart | Waveform


@dataclass(frozen=True, eq=False)
class SoundMix:
    """Sounds that are added, each at its place; a part that plays nothing of its file adds nothing.
    seconds: the least length."""

    sounds: tuple[PlacedSound, ...]
    seconds: float


class Samples(Protocol):
    """A (T,) float32 array, or what behaves as one when it is sliced."""

    def __len__(self) -> int: ...

    def __getitem__(self, at: slice, /) -> Float32: ...


Voice = Path | SoundPart | SoundMix | Waveform
"""A sound file or a feature file (.npy), a part of a sound file, a mix, or decoded samples."""

AnyVoice = Voice | AudioTrack | None
"""A voice, a track with computed features, or None: no voice, as for a still."""


def sound_files(voice: AnyVoice) -> list[Path]:
    """The files that are read to compute the voice's features."""
    if isinstance(voice, SoundMix):
        return [path for placed in voice.sounds for path in sound_files(placed.sound)]
    if isinstance(voice, SoundPart):
        return [voice.path]
    return [voice] if isinstance(voice, Path) else []
