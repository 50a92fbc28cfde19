"""Synchronisation: correlation of two signals over rows, and under time shifts."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..records.arrays import Float64

SPAN = 8  # rows of shift in each direction, 0.32 s
MIN_ROWS = 8  # below which a correlation is meaningless
FLAT = 1e-9  # below which a signal is constant


def correlation(a: Float64, b: Float64) -> float:
    """Pearson's coefficient over the rows in which both are finite; NaN for fewer than 8 of them
    or a constant signal."""
    both = np.isfinite(a) & np.isfinite(b)
    if both.sum() < MIN_ROWS:
        return math.nan
    x, y = a[both] - a[both].mean(), b[both] - b[both].mean()
    scale = math.sqrt(float((x * x).sum() * (y * y).sum()))
    return float((x * y).sum()) / scale if scale > FLAT else math.nan


def shifted(rows: Sequence[int], a: Float64, b: Float64, span: int = SPAN) -> Float64:
    """(2 span + 1,) correlation of a at row r + s with b at row r, s from -span to span: if the
    best s is positive, a is late. rows may have gaps."""
    place = {row: index for index, row in enumerate(rows)}
    out = np.full(2 * span + 1, np.nan)
    for s in range(-span, span + 1):
        pairs = [(place[row + s], index) for row, index in place.items() if row + s in place]
        if pairs:
            late, early = np.array(pairs).T
            out[s + span] = correlation(a[late], b[early])
    return out


def best_shift(correlations: Float64) -> tuple[int, float]:
    """(rows, coefficient) at the maximum of `shifted`; of two equal ones the smaller shift.
    (0, NaN) if no correlation is known."""
    span = len(correlations) // 2
    order = sorted(range(len(correlations)), key=lambda i: abs(i - span))
    known = [i for i in order if math.isfinite(correlations[i])]
    if not known:
        return 0, math.nan
    best = max(known, key=lambda i: float(correlations[i]))
    return best - span, float(correlations[best])
