"""Which of a file's sound tracks is the voice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...audio.phonetic import DIM, phonetic
from ...audio.waveform import from_samples
from ...errors import ArgumentError, VideoError
from ...records.arrays import Float32
from .container import Film, opened
from .mix import mix_of
from .pieces import pieces

LISTEN = 8.0  # seconds of each of the places at which a track is judged
PLACES = (0.1, 0.5, 0.9)  # of the part of the film
LOUD = 10 ** (-50 / 20)  # of full scale; quieter blocks count as silence
MIN_LOUD = 0.03  # of the blocks, below which a track counts as silent
BLOCK = 320  # samples at 16 kHz, as long as a step of phonetic features
CLEARLY = 1.3  # times as many mouth shapes as in another track are clearly more


@dataclass(frozen=True)
class Track:
    """stream: its index in the file. number: among the `count` sound tracks, from 1."""

    stream: int
    number: int
    count: int
    note: str = ""


def track_of(film: Film, start: float, stop: float, wanted: int | None) -> Track:
    """The wanted sound track, or the one that holds the voice: of tracks that are not silent the
    one that sounds most like speech; of equals the one marked as default, then the first.
    VideoError if there is none, ArgumentError if the wanted one is not there."""
    with opened(film.path) as container:
        from av.stream import Disposition

        found = [
            (stream.index, bool(stream.disposition & Disposition.default))
            for stream in container.streams.audio
            if stream.codec_context is not None
        ]
    if wanted is not None and not 1 <= wanted <= max(len(found), 1):
        raise ArgumentError(
            f"--audio-track {wanted}: {film.path} has {len(found)} sound tracks; give a number "
            f"from 1 to {len(found)}"
        )
    if not found:
        raise VideoError(f"{film.path} has no sound; give a video with the person's voice")
    if len(found) == 1:
        return Track(found[0][0], 1, 1)
    if wanted is not None:
        return Track(found[wanted - 1][0], wanted, len(found))
    scores = [_speech(film, index, start, stop) for index, _ in found]
    likely = [score * CLEARLY >= max(scores) for score in scores]
    ranks = [(good, default) for good, (_, default) in zip(likely, found, strict=True)]
    best = ranks.index(max(ranks))
    return Track(
        found[best][0],
        best + 1,
        len(found),
        f"the file has {len(found)} sound tracks; number {best + 1} sounds most like speech and is "
        "used (--audio-track chooses another)",
    )


def _speech(film: Film, stream: int, start: float, stop: float) -> float:
    """How much a track sounds like speech: the number of mouth shapes that its sounds use evenly,
    at least 1; 0 for silence. Speech in any language uses 9 or more, noise and music 4 at most."""
    spots = [start + place * (stop - start) - LISTEN / 2 for place in PLACES]
    heard = [_listen(film, stream, max(spot, 0.0)) for spot in spots]
    samples = np.concatenate(heard)
    blocks = samples[: len(samples) // BLOCK * BLOCK].reshape(-1, BLOCK)
    level = np.sqrt((blocks**2).mean(1))
    if not len(level) or (level > LOUD).mean() < MIN_LOUD:
        return 0.0
    shapes = phonetic(samples)[: len(level)].argmax(1)
    counts: Any = np.bincount(shapes[level > LOUD], minlength=DIM)
    shares = counts[counts > 0] / counts.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


def _listen(film: Film, stream: int, start: float) -> Float32:
    """A few seconds of a track, mono, 16 kHz."""
    parts = [
        part for part in pieces(film, stream, start, start + LISTEN) if part.time >= start - 0.1
    ]
    if not parts:
        return np.zeros(0, np.float32)
    weights = mix_of(parts).weights
    samples = np.concatenate([part.samples for part in parts])[: round(LISTEN * parts[0].rate)]
    mono = (samples @ weights).astype(np.float32)
    return from_samples(mono, parts[0].rate, film.path.name).samples
