"""The voice of a film: one track, mono, 16 kHz, in step with the pictures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ...audio.waveform import from_samples
from ...errors import AudioError, VideoError
from ...records.arrays import Float32
from ...records.voice import RATE, Waveform
from ..options import FPS
from .container import Film
from .mix import mix_of
from .pieces import pieces
from .placing import Timed, placed
from .tracks import BLOCK, LOUD, MIN_LOUD, Track, track_of

QUIET = -40.0  # dB of full scale, below which a voice is made louder
NORMAL = -23.0  # dB, what it then becomes
CLEAR = 15.0  # dB of voice above noise, from which that helps
FLOOR = 1e-5  # of full scale (-100 dB): the least that is told from digital silence


@dataclass(frozen=True, eq=False)
class Sound:
    """holes: (begin, end) in seconds of the part that have no sound. loudness, noise: dB of full
    scale of loud and of quiet moments, as recorded. notes: lines for the user."""

    voice: Waveform
    track: Track
    holes: tuple[tuple[float, float], ...]
    loudness: float
    noise: float
    notes: tuple[str, ...]


def sound(film: Film, start: float, count: int, wanted: int | None = None) -> Sound:
    """The sound of `count` frames from `start` on, silence where there is none. wanted: the number
    of the track, None to choose it. VideoError: no sound, or silence."""
    seconds = count / FPS
    track = track_of(film, start, start + seconds, wanted)
    mix = mix_of(pieces(film, track.stream, start, start + seconds))
    weights = mix.weights.astype(np.float32)
    found = pieces(film, track.stream, start, start + seconds)
    first = next(found, None)
    if first is None:
        raise VideoError(f"{film.path} has an empty sound track; record it again")
    rate = first.rate

    def timed() -> Iterator[Timed]:
        yield first.time - start, first.samples @ weights
        for piece in found:
            yield piece.time - start, piece.samples @ weights

    samples, holes = placed(timed(), rate, int(np.ceil(seconds * rate)) + 1)
    try:
        whole = from_samples(samples, rate, film.path.name).samples
    except AudioError as error:
        raise VideoError(str(error)) from None
    out = np.zeros(count * RATE // FPS, np.float32)
    out[: min(len(out), len(whole))] = whole[: len(out)]
    loudness, noise = levels(out)
    notes = [track.note, mix.note, _holes_note(holes)]
    if loudness < QUIET and loudness - noise > CLEAR:
        out = np.clip(out * np.float32(10 ** ((NORMAL - loudness) / 20)), -1, 1)
        notes.append(f"the voice is very quiet ({loudness:.0f} dB) and was made louder")
    _check_loud(film, out, track)
    noted = tuple(note for note in notes if note)
    return Sound(Waveform(out), track, tuple(holes), loudness, noise, noted)


def levels(samples: Float32) -> tuple[float, float]:
    """Loudness and noise in dB of full scale: the level that the loudest twentieth of the blocks of
    20 ms passes, and the one that the quietest tenth stays below. Digital silence does not count as
    quiet."""
    blocks = samples[: len(samples) // BLOCK * BLOCK].reshape(-1, BLOCK)
    level = 20 * np.log10(np.maximum(np.sqrt((blocks**2).mean(1)), FLOOR))
    some = level[level > 20 * np.log10(FLOOR)]
    if not len(some):
        return -100.0, -100.0
    return float(np.percentile(level, 95)), float(np.percentile(some, 10))


def _check_loud(film: Film, samples: Float32, track: Track) -> None:
    blocks = samples[: len(samples) // BLOCK * BLOCK].reshape(-1, BLOCK)
    loud = float((np.sqrt((blocks**2).mean(1)) > LOUD).mean()) if len(blocks) else 0.0
    if loud >= MIN_LOUD:
        return
    where, else_ = str(film.path), ""
    if track.count > 1:
        where = f"sound track {track.number} of {film.path}"
        else_ = ", or choose another of its tracks with --audio-track"
    raise VideoError(
        f"{where} is silent ({100 * loud:.0f} % of it is louder than -50 dB); give a video in "
        f"which the person speaks{else_}"
    )


def _holes_note(holes: list[tuple[float, float]]) -> str:
    if not holes:
        return ""
    total = sum(end - begin for begin, end in holes)
    begin, end = max(holes, key=lambda hole: hole[1] - hole[0])
    more = f", the longest of {len(holes)} holes" if len(holes) > 1 else ""
    return (
        f"the sound is missing for {total:.1f} s (from {begin:.1f} to {end:.1f} s{more}); these "
        "moments are silent"
    )
