"""The tiles of a row that an ellipse can colour: exact, so that skipping the others is lossless.

The official rule evaluates every tile of a square of three standard deviations around the centre.
Most of those tiles hold no pixel with alpha >= 1/255; they are left out here.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..projection import Ellipses
from ..rasteriser import MIN_ALPHA, TILE

SLACK = 1e-4  # in the exponent; far above any rounding, far below what costs time


def spans_of_row(
    ellipses: Ellipses, row: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Gaussians (M,) in the order of drawing with their first and last tile column (excluded) in
    this row of tiles; never empty spans."""
    rects = ellipses.rects
    chosen = np.flatnonzero((rects[:, 1] <= row) & (row < rects[:, 3]))
    a, b, c = ellipses.conics[chosen].T
    x, y = ellipses.centres[chosen].T
    # alpha >= 1/255 is the inside of an ellipse, a dx^2 + 2 b dx dy + c dy^2 <= level.
    level = 2 * np.log(ellipses.opacities[chosen] / MIN_ALPHA) + SLACK
    determinant = a * c - b * b
    top, bottom = row * TILE + 0.5 - y, (row + 1) * TILE - 0.5 - y
    reach_x, reach_y = np.sqrt(level * c / determinant), np.sqrt(level * a / determinant)
    hit = (top <= reach_y) & (bottom >= -reach_y)
    # Its right side bulges most at dy = -b / c * reach_x, the left side opposite; within the row
    # the nearest height to that is the widest one.
    right = _side(np.clip(-b / c * reach_x, top, bottom), a, b, determinant, level, 1)
    left = _side(np.clip(b / c * reach_x, top, bottom), a, b, determinant, level, -1)
    first = np.maximum(np.ceil(x + left - 0.5) // TILE, rects[chosen, 0])
    last = np.minimum(np.floor(x + right - 0.5) // TILE + 1, rects[chosen, 2])
    hit &= first < last
    return chosen[hit], first[hit].astype(np.int64), last[hit].astype(np.int64)


def _side(
    dy: NDArray[np.float64],
    a: NDArray[np.float64],
    b: NDArray[np.float64],
    determinant: NDArray[np.float64],
    level: NDArray[np.float64],
    sign: int,
) -> NDArray[np.float64]:
    """dx of the ellipse's right (1) or left (-1) side at height dy."""
    inside = np.maximum(a * level - determinant * dy * dy, 0)
    return (-b * dy + sign * np.sqrt(inside)) / a
