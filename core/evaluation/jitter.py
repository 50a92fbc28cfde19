"""Motion that should not be there: jitter of places at rest, flicker of the picture."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..records.arrays import Float64

LIDS_MOVE = 0.05  # change of the eyes' closure from row to row, above which the lids move


def acceleration(rows: Sequence[int], places: Float64, closure: Float64 | None = None) -> float:
    """Mean length of the second difference of places (R, P, 2) over consecutive rows, in their unit
    per row squared. closure (R,): of the eyes, 0 to 1; rows whose lids move are left out. NaN if
    there are no three consecutive rows."""
    numbers = np.asarray(rows)
    if len(numbers) < 3:
        return math.nan
    inner = (numbers[2:] - numbers[1:-1] == 1) & (numbers[1:-1] - numbers[:-2] == 1)
    if closure is not None:
        still = np.abs(np.diff(closure)) <= LIDS_MOVE
        inner &= still[1:] & still[:-1]
    second = places[2:] - 2 * places[1:-1] + places[:-2]
    lengths = np.linalg.norm(second, axis=2)[inner]
    lengths = lengths[np.isfinite(lengths)]
    return float(lengths.mean()) if lengths.size else math.nan


class Flicker:
    """Mean change of the head from frame to frame, in 8-bit steps: of the render, of the truth, and
    of the error. Rows are added in order."""

    def __init__(self) -> None:
        self._last: tuple[int, Float64, Float64, NDArray[np.bool_]] | None = None
        self._sums = np.zeros(3)
        self._count = 0

    def add(
        self,
        row: int,
        picture: NDArray[np.floating],
        truth: NDArray[np.floating],
        head: NDArray[np.bool_],
    ) -> None:
        """picture, truth (H, W, 3) in [0, 1]; head (H, W)."""
        now = (row, picture.astype(np.float64), truth.astype(np.float64), head)
        before, self._last = self._last, now
        if before is None or row != before[0] + 1:
            return
        both = head & before[3]
        if not both.any():
            return
        shown, true = (now[1] - before[1])[both], (now[2] - before[2])[both]
        changes = (np.abs(shown).mean(), np.abs(true).mean(), np.abs(shown - true).mean())
        self._sums += 255 * np.array(changes)
        self._count += 1

    def means(self) -> tuple[float, float, float]:
        """Change per frame of (render, truth, error); NaN without two consecutive rows."""
        if not self._count:
            return math.nan, math.nan, math.nan
        shown, true, error = self._sums / self._count
        return float(shown), float(true), float(error)
