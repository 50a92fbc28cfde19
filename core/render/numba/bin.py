"""Order of drawing and the list of Gaussians of every tile, in numba."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...system.numba_setup import compiled
from .project import DROPPED

Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]

DIGITS = 11  # bits sorted at once: three passes cover 32
BUCKETS = 1 << DIGITS


@compiled
def sort_by_depth(depths: NDArray[np.uint32]) -> Int32:
    """(N,) uint32 -> indices of all that are not DROPPED, in rising order, equal ones by index."""
    order = np.flatnonzero(depths != DROPPED).astype(np.int32)
    spare = np.empty_like(order)
    for shift in (0, DIGITS, 2 * DIGITS):
        ends = np.zeros(BUCKETS + 1, np.int64)
        for i in order:
            ends[((depths[i] >> shift) & (BUCKETS - 1)) + 1] += 1
        for bucket in range(BUCKETS):
            ends[bucket + 1] += ends[bucket]
        for i in order:
            digit = (depths[i] >> shift) & (BUCKETS - 1)
            spare[ends[digit]] = i
            ends[digit] += 1
        order, spare = spare, order
    return order


@compiled
def distribute(order: Int32, rects: Int32, axis: int, bins: int) -> tuple[Int64, Int32]:
    """Lists of Gaussians for the columns (axis 0) or rows (axis 1) of tiles that their rects
    cover, each in the order given. starts (bins + 1,): where each list begins; listed."""
    starts = np.zeros(bins + 1, np.int64)
    for i in order:
        for k in range(rects[i, axis], rects[i, axis + 2]):
            starts[k + 1] += 1
    for k in range(bins):
        starts[k + 1] += starts[k]
    listed = np.empty(starts[-1], np.int32)
    free = starts.copy()
    for i in order:
        for k in range(rects[i, axis], rects[i, axis + 2]):
            listed[free[k]] = i
            free[k] += 1
    return starts, listed
