"""Frames between known ones."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray


def between(known: NDArray[np.bool_]) -> Iterator[tuple[int, int, int, float]]:
    """For every frame that is not known (F,): its row, the known rows before and after it, and its
    place between them from 0 to 1. At the ends both are the nearest one. At least one is known."""
    rows = np.flatnonzero(known)
    for row in np.flatnonzero(~known):
        after = int(np.searchsorted(rows, row))
        a, b = int(rows[max(after - 1, 0)]), int(rows[min(after, len(rows) - 1)])
        yield int(row), a, b, 0.0 if a == b else (row - a) / (b - a)
