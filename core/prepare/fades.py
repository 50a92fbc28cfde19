"""Which frames of a film lie in a cross-fade, from tiny pictures.

In a cross-fade every picture is a mixture of those around it: a + s (b - a), where s grows evenly.
In twelve clips of people who talk (6,800 frames) at least 0.15 of the change over eight frames is
something else, because what moves is not mixed; at a cut s jumps by 0.5 or more. In cross-fades
that were made from these clips at most 0.05 is something else.

Over fewer frames people's movements are mixtures too, but small ones: where at most 0.1 of the
change over two to seven frames of these clips is something else, it is 6.1 grey levels at most. In
360 short cross-fades between them, and from a clip to itself enlarged, it is 10.7 at least."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

REACH = 8  # frames from a to b
LEAST = 6.0  # grey levels of change over them
SHORTEST, LEAST_IF_SHORT = 2, 8.5  # frames from a to b: one between them; levels over fewer frames
REST = 0.1  # of that change that is no mixture
UNEVEN = 0.3  # by which s may deviate from an even growth
CHUNK = 1024  # frames in memory at a time


def faded_frames(small: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """(F,) True inside cross-fades. small (F, S, S, 3)."""
    faded = np.zeros(len(small), bool)
    for reach in range(SHORTEST, REACH + 1):
        for first in range(0, len(small) - reach, CHUNK):
            part = small[first : first + CHUNK + reach]
            for start in first + np.flatnonzero(_mixed(part, reach)):
                faded[start + 1 : start + reach] = True
    return faded


def _mixed(small: NDArray[np.uint8], reach: int) -> NDArray[np.bool_]:
    """(F - reach,) True where the frames between one and that `reach` later mix these two."""
    flat = small.reshape(len(small), -1).astype(np.float32)
    a, change = flat[:-reach], flat[reach:] - flat[:-reach]
    amount = np.abs(change).mean(1)
    mixed = amount >= (LEAST if reach == REACH else LEAST_IF_SHORT)
    squares = np.maximum((change * change).sum(1), 1e-6)
    for step in range(1, reach):
        rows = np.flatnonzero(mixed)
        if not len(rows):
            break
        moved = flat[rows + step] - a[rows]
        share = (moved * change[rows]).sum(1) / squares[rows]
        rest = np.abs(moved - share[:, None] * change[rows]).mean(1)
        even = np.abs(share - step / reach) <= UNEVEN
        mixed[rows] = (rest <= REST * amount[rows]) & even
    return np.asarray(mixed)
