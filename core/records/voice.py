"""The sound that drives an avatar: a file, a part of one, or decoded samples."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .arrays import Float32
from .audio_track import AudioTrack
from .timeline import ROW_RATE

RATE = 16000  # samples a second of every waveform in this program


@dataclass(frozen=True, eq=False)
class Waveform:
    """Mono sound. samples (T,) float32, nominally in [-1, 1], finite. rate: samples a second."""

    samples: Float32
    rate: int = RATE

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate

    @property
    def rows(self) -> int:
        """Rows of its track: one for every 1/25 s that has begun before the sound ends (786 of
        31.44 s)."""
        return -(-len(self.samples) * int(ROW_RATE) // self.rate)


@dataclass(frozen=True)
class SoundPart:
    """What a strip plays of a sound file. skip: seconds of the file before it, negative where
    silence comes first. seconds: its length. slack: where at most so many seconds of the file
    follow, the part goes on to the file's end; None where it ends exactly. name: of the strip, for
    messages."""

    path: Path
    skip: float
    seconds: float
    slack: float | None = None
    name: str = ""


Voice = Path | SoundPart | Waveform
"""A sound file or a feature file (.npy), a part of a sound file, or decoded samples."""

AnyVoice = Voice | AudioTrack | None
"""Also a track whose features are computed already, and None: no voice, as for a still."""
