"""Where a film is cut, from tiny pictures and face meshes of its frames.

Measured on twelve clips of people who talk (6,800 frames with four cuts, and 960 cuts made by
leaving out 0.5 or 2 s): within a shot a frame differs from the one before at most 2.5 times as much
as its neighbours do, also where 30 pictures a second became 25 and every fifth step is double; at
the four cuts 10 times and more. A shot that goes on from nearly the same picture is not seen as
cut, and needs not be: there is little to smooth wrongly."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..records.arrays import Float64
from .fades import faded_frames
from .mesh import STABLE

JUMP = 2.7  # times the difference of the frames around it
BOTH = 12.0  # product of that ratio and the same ratio of the landmarks' movement
AROUND, NEAR = 2, 8  # steps to each side that a step is compared with, within so many frames
GONE = 3  # frames without a face, after which a shot may be another one
LEAST_CHANGE, LEAST_MOVE = 0.2, 0.003  # of noise: grey levels, face sizes
SAME = 0.05  # grey levels below which two pictures are the same; noise alone is more
FROZEN = 5  # steps (0.2 s) of the same picture after which it is frozen
BLACK, BLACK_CONTRAST = 16.0, 8.0  # grey levels: mean and spread of a black picture


def changes(small: NDArray[np.uint8], rows: NDArray[np.intp]) -> Float64:
    """(K - 1,) mean difference of successive tiny pictures of `rows` (K,), grey levels."""
    pictures = small[rows].astype(np.float32)
    return np.asarray(np.abs(np.diff(pictures, axis=0)).mean((1, 2, 3)), np.float64)


def black_frames(small: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """(F,) True where the picture (F, S, S, 3) is black."""
    flat = small.reshape(len(small), -1)
    return np.asarray((flat.mean(1) < BLACK) & (flat.std(1) < BLACK_CONTRAST))


def frozen_frames(small: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """(F,) True where the picture stays the same for 0.2 s and longer; its first frame counts as
    moving."""
    same = np.concatenate([[False], changes(small, np.arange(len(small))) < SAME])
    out = np.zeros(len(small), bool)
    for first, stop in runs(same):
        out[first:stop] = stop - first >= FROZEN
    return out


def runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """(first, stop) of the runs of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def find_cuts(
    small: NDArray[np.uint8], meshes: Float64, valid: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """(F,) True for the first frame of every shot but the first; the one after a cross-fade is
    such a frame. small (F, S, S, 3), meshes (F, 478, 3) in pixels, valid (F,): a face was found."""
    cut = np.zeros(len(small), bool)
    black = black_frames(small)
    rows = np.flatnonzero(~black)
    if len(rows) < 2:
        return cut
    change = changes(small, rows)
    # Repeated pictures would make an ordinary step after them look like a cut.
    moving = np.flatnonzero(change >= SAME)
    points = meshes[rows][:, STABLE, :2]
    size = float(np.median(np.sqrt((np.ptp(points, axis=1) ** 2).mean(1)))) or 1.0
    moved = np.sqrt((np.diff(points, axis=0) ** 2).sum(2).mean(1)) / size
    faces = valid[rows]
    known = faces[1:] & faces[:-1]
    by_picture = _ratios(change[moving], moving, LEAST_CHANGE)
    by_points = _ratios(np.where(known, moved, 0.0)[moving], moving, LEAST_MOVE)
    found = (by_picture > JUMP) | (known[moving] & (by_picture * by_points > BOTH))
    cut[rows[moving[found] + 1]] = True
    gone = [(first, stop) for first, stop in runs(~valid | black) if stop - first >= GONE]
    for _, stop in [*gone, *runs(faded_frames(small))]:
        if stop < len(cut):
            cut[stop] = True
    return cut


def _ratios(steps: Float64, times: NDArray[np.intp], least: float) -> Float64:
    """(K,) each step in sizes of the largest of the steps around it. times (K,): frames."""
    out = np.zeros(len(steps))
    for k, step in enumerate(steps):
        around = slice(max(k - AROUND, 0), k + AROUND + 1)
        near = np.abs(times[around] - times[k]) <= NEAR
        near[min(k, AROUND)] = False
        out[k] = step / (steps[around][near].max(initial=0.0) + least)
    return out
