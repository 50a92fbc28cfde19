"""The losses of a picture and their gradients on a CPU, in one pass beside SSIM's.

The formulas of losses.py. torch's own operations would need some twenty passes over the picture.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...metrics.pictures import TAPS
from ...records.arrays import Float32
from ...system.machine import available_cores
from ...system.numba_setup import compiled
from ...system.threads import for_each
from .ssim import BAND, ssim_and_slopes

Int64 = NDArray[np.int64]
Box = tuple[int, int, int, int]


def loss_and_slopes(
    picture: Float32,
    target: Float32,
    alpha: Float32,
    head: Float32,
    lips: Box | None,
    weights: tuple[float, float, float, float, float],
) -> tuple[float, Float32, Float32]:
    """picture, target (H, W, C), alpha, head (H, W); weights: of l1, ssim, square, lips and mask ->
    the weighted sum of the losses, and its gradients by the picture and by alpha."""
    height, width, channels = picture.shape
    l1, similar, square, of_lips, mask = weights
    loss, slopes = 0.0, None
    if similar and min(height, width) >= TAPS:
        score, slopes = ssim_and_slopes(picture, target)
        loss = similar * (1 - score)
    slopes = np.zeros_like(picture) if slopes is None else slopes
    y0, y1, x0, x1 = lips if of_lips and lips is not None else (0, 0, 0, 0)
    counts = np.array([picture.size, picture.size, (y1 - y0) * (x1 - x0) * channels, alpha.size])
    parts = np.array([l1, square, of_lips, mask]) / np.maximum(counts, 1)
    bands = range(0, height, BAND)
    sums = np.zeros((len(bands), 4, width * channels), np.float32)
    of_alpha = np.empty_like(alpha)
    flat = [values.reshape(height, -1) for values in (picture, target, slopes)]
    box = np.array([y0, y1, x0 * channels, x1 * channels])
    factors = np.array([-similar, *parts], np.float32)

    def one(band: int) -> None:
        stop = min(bands[band] + BAND, height)
        _compare(*flat, alpha, head, of_alpha, box, factors, bands[band], stop, sums[band])

    for_each(one, range(len(bands)), available_cores())
    totals = sums.sum(axis=(0, 2), dtype=np.float64)
    return loss + float(totals @ parts), slopes, of_alpha


@compiled
def _compare(
    picture: Float32,
    target: Float32,
    slopes: Float32,
    alpha: Float32,
    head: Float32,
    of_alpha: Float32,
    box: Int64,
    factors: Float32,
    start: int,
    stop: int,
    sums: Float32,
) -> None:
    """Rows from start to stop: add the errors to the sums of l1, square, lips and mask. slopes:
    SSIM's before, all losses' after."""
    similar, l1, square, lips, mask = factors
    square = square + square
    sizes, squares, in_lips, in_mask = sums[0], sums[1], sums[2], sums[3]
    for row in range(start, stop):
        one, other, slope = picture[row], target[row], slopes[row]
        for x in range(len(one)):
            error = one[x] - other[x]
            sizes[x] += abs(error)
            squares[x] += error * error
            slope[x] = similar * slope[x] + l1 * _sign(error) + square * error
        if box[0] <= row < box[1]:
            for x in range(box[2], box[3]):
                error = one[x] - other[x]
                in_lips[x] += abs(error)
                slope[x] += lips * _sign(error)
        covered, wanted, out = alpha[row], head[row], of_alpha[row]
        for x in range(len(covered)):
            error = covered[x] - wanted[x]
            in_mask[x] += abs(error)
            out[x] = mask * _sign(error)


@compiled
def _sign(value: np.float32) -> np.float32:
    above = np.float32(1) if value > 0 else np.float32(0)
    below = np.float32(1) if value < 0 else np.float32(0)
    return np.float32(above - below)
