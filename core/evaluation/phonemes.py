"""Times of phonemes, and whether the lips close for m, b and p.

A JSON file has "events": [[seconds, "phoneme"], ...], each lasting until the next. Names may be
those of espeak, ARPAbet or IPA, which agree on m, b and p.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..records.arrays import Float64
from ..records.timeline import ROW_RATE
from ..system.files import read_bounded

MAX_BYTES = 64 * 2**20
CLOSED = {"m", "b", "p"}
OPEN_SHARE = 0.25  # of the range of the lip gap, below which lips count as closed
# Rows before and after a phoneme in which the lips may close for it.
BEFORE, AFTER = 1, 2


@dataclass(frozen=True)
class Phoneme:
    """start, end: seconds from the beginning of the sound."""

    start: float
    end: float
    name: str


@dataclass(frozen=True)
class Closures:
    """count: of m, b and p. share: of those for which the lips close; NaN if there are none."""

    count: int
    share: float


def load_phonemes(path: Path) -> tuple[Phoneme, ...]:
    """InputError if the file does not have the form above."""
    try:
        document = json.loads(read_bounded(path, InputError, MAX_BYTES))
        events = [(float(time), str(name)) for time, name in document["events"]]
        times = [time for time, _ in events]
        if not all(map(math.isfinite, times)) or times != sorted(times):
            raise ValueError
    except (ValueError, TypeError, KeyError, RecursionError):
        raise InputError(
            f'{path} contains no phonemes; give a JSON file with "events": [[seconds, "name"], '
            "...] ordered by time"
        ) from None
    ends = [*times[1:], times[-1] + 0.1] if times else []
    return tuple(Phoneme(time, end, name) for (time, name), end in zip(events, ends, strict=True))


def closures(
    phonemes: Iterable[Phoneme], first: int, rows: tuple[int, ...], gap: Float64
) -> Closures:
    """The m, b and p within `rows` (the sound begins at row `first`), and the share for which the
    lip gap (R,) falls below a quarter of its range, the 5th to the 95th percentile."""
    known = np.isfinite(gap)
    if known.sum() < 2:
        return Closures(0, math.nan)
    low, high = np.percentile(gap[known], (5, 95))
    limit = low + OPEN_SHARE * (high - low)
    place = {row: index for index, row in enumerate(rows)}
    hits = []
    for phoneme in phonemes:
        if phoneme.name.strip("_:0123456789").lower() not in CLOSED:
            continue
        start = first + math.floor(phoneme.start * ROW_RATE) - BEFORE
        stop = first + math.ceil(phoneme.end * ROW_RATE) + AFTER
        inside = [gap[place[row]] for row in range(start, stop) if row in place]
        if len(inside) == stop - start and np.isfinite(inside).all():
            hits.append(min(inside) <= limit)
    return Closures(len(hits), float(np.mean(hits)) if hits else math.nan)
