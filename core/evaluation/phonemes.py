"""When which sound is spoken, where a text truth exists, and whether the lips close when they must.

A JSON file with "events": [[seconds, "phoneme"], ...], each lasting until the next; names as
espeak's, ARPAbet's or IPA's, of which m, b and p are needed here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..records.timeline import ROW_RATE
from ..system.files import read_bounded
from .lips import Float64

MAX_BYTES = 64 * 2**20
CLOSED = {"m", "b", "p"}
OPEN_SHARE = 0.25  # of the way from closed to wide open, under which lips count as closed
# Rows before and after a sound in which the lips may close for it.
BEFORE, AFTER = 1, 2


@dataclass(frozen=True)
class Spoken:
    """start, end: seconds from the beginning of the sound."""

    start: float
    end: float
    name: str


@dataclass(frozen=True)
class Closures:
    """count: sounds that need closed lips. share: of them with lips that close, NaN for none."""

    count: int
    share: float


def load_phonemes(path: Path) -> tuple[Spoken, ...]:
    """InputError where the file is not of the form above."""
    try:
        document = json.loads(read_bounded(path, InputError, MAX_BYTES))
        events = [(float(time), str(name)) for time, name in document["events"]]
        times = [time for time, _ in events]
        if not all(map(math.isfinite, times)) or times != sorted(times):
            raise ValueError
    except (ValueError, TypeError, KeyError, RecursionError):
        raise InputError(
            f'{path} holds no phonemes; give a JSON file with "events": [[seconds, "name"], ...] '
            "in the order of time"
        ) from None
    ends = [*times[1:], times[-1] + 0.1] if times else []
    return tuple(Spoken(time, end, name) for (time, name), end in zip(events, ends, strict=True))


def closures(spoken: Iterable[Spoken], first: int, rows: tuple[int, ...], gap: Float64) -> Closures:
    """Of the m, b, p within `rows` (the sound begins at row `first`): in how many do the lips of
    `gap` (R,) come under a quarter of their range, from the 5th to the 95th hundredth of all."""
    known = np.isfinite(gap)
    if known.sum() < 2:
        return Closures(0, math.nan)
    low, high = np.percentile(gap[known], (5, 95))
    limit = low + OPEN_SHARE * (high - low)
    place = {row: index for index, row in enumerate(rows)}
    hits = []
    for sound in spoken:
        if sound.name.strip("_:0123456789").lower() not in CLOSED:
            continue
        start = first + math.floor(sound.start * ROW_RATE) - BEFORE
        stop = first + math.ceil(sound.end * ROW_RATE) + AFTER
        inside = [gap[place[row]] for row in range(start, stop) if row in place]
        if len(inside) == stop - start and np.isfinite(inside).all():
            hits.append(min(inside) <= limit)
    return Closures(len(hits), float(np.mean(hits)) if hits else math.nan)
