"""Structural similarity of two pictures and its gradient on a CPU, in two passes.

The formula of training/ssim.py. torch's own operations would need some sixty passes over maps as
large as the picture. A row is W pixels of C channels as they stand in memory: all maps are wide
rows of floats, and a window takes every C-th.
"""

from __future__ import annotations

import numpy as np

from ...metrics.pictures import C1, C2, TAPS, window
from ...records.arrays import Float32
from ...system.machine import available_cores
from ...system.numba_setup import compiled
from ...system.threads import for_each

BAND = 32  # rows that a thread takes at a time; no bit depends on the number of threads
_C1, _C2 = np.float32(C1), np.float32(C2)


def ssim_and_slopes(a: Float32, b: Float32) -> tuple[float, Float32]:
    """a and b (H, W, C) -> the mean over windows inside, and its gradient by a (H, W, C)."""
    height, width, channels = a.shape
    line = window().astype(np.float32)
    tall, broad = height - TAPS + 1, (width - TAPS + 1) * channels
    flat_a, flat_b = a.reshape(height, -1), b.reshape(height, -1)
    maps = np.empty((3, tall, broad), np.float32)
    sums = np.zeros((-(-tall // BAND), broad), np.float32)
    slopes = np.empty(flat_a.shape, np.float32)
    part = np.float32(1 / (tall * broad))

    def compare(band: int) -> None:
        start, stop = band * BAND, min((band + 1) * BAND, tall)
        _compare(flat_a, flat_b, line, channels, start, stop, maps, sums[band])

    def spread(start: int) -> None:
        stop = min(start + BAND, height)
        _spread(maps, flat_a, flat_b, line, channels, start, stop, part, slopes)

    for_each(compare, range(len(sums)), available_cores())
    for_each(spread, range(0, height, BAND), available_cores())
    return float(sums.mean(dtype=np.float64) * len(sums) / tall), slopes.reshape(a.shape)


@compiled
def _compare(
    a: Float32,
    b: Float32,
    line: Float32,
    channels: int,
    start: int,
    stop: int,
    maps: Float32,
    sums: Float32,
) -> None:
    """Of rows of windows: the similarity, added to `sums`, and in `maps` its slopes by the means of
    x, x * x and x * y over a window."""
    wide, broad = a.shape[1], maps.shape[2]
    down, across = np.empty((5, wide), np.float32), np.empty((5, broad), np.float32)
    two = np.float32(2)
    for row in range(start, stop):
        _down(a, b, line, row, down[0], down[1], down[2], down[3], down[4])
        for k in range(5):
            _across(down[k], line, channels, across[k])
        mx, my, xx, yy, xy = across[0], across[1], across[2], across[3], across[4]
        by_mean, by_square, by_product = maps[0, row], maps[1, row], maps[2, row]
        for x in range(broad):
            both = mx[x] * my[x]
            one, other = two * both + _C1, two * (xy[x] - both) + _C2
            means = mx[x] * mx[x] + my[x] * my[x]
            first, second = means + _C1, xx[x] + yy[x] - means + _C2
            whole = np.float32(1) / (first * second)
            score = one * other * whole
            sums[x] += score
            by_mean[x] = two * (
                my[x] * (other - one) * whole - mx[x] * score * (second - first) * whole
            )
            by_square[x] = -score * first * whole
            by_product[x] = two * one * whole


@compiled
def _down(
    a: Float32,
    b: Float32,
    line: Float32,
    row: int,
    mx: Float32,
    my: Float32,
    xx: Float32,
    yy: Float32,
    xy: Float32,
) -> None:
    """The sums along the columns."""
    for k in range(TAPS):
        one, other, weight = a[row + k], b[row + k], line[k]
        if k == 0:
            mx[:], my[:], xx[:], yy[:], xy[:] = 0, 0, 0, 0, 0
        for x in range(len(mx)):
            mx[x] += weight * one[x]
            xx[x] += weight * one[x] * one[x]
        for x in range(len(mx)):
            my[x] += weight * other[x]
            yy[x] += weight * other[x] * other[x]
        for x in range(len(mx)):
            xy[x] += weight * one[x] * other[x]


@compiled
def _across(values: Float32, line: Float32, channels: int, out: Float32) -> None:
    """The sums along the row."""
    for k in range(TAPS):
        shifted, weight = values[k * channels :], line[k]
        if k == 0:
            for x in range(len(out)):
                out[x] = weight * shifted[x]
        else:
            for x in range(len(out)):
                out[x] += weight * shifted[x]


@compiled
def _spread(
    maps: Float32,
    a: Float32,
    b: Float32,
    line: Float32,
    channels: int,
    start: int,
    stop: int,
    part: float,
    slopes: Float32,
) -> None:
    """Rows of the gradient: each map spreads over its windows, which are symmetric."""
    tall, broad, wide = maps.shape[1], maps.shape[2], a.shape[1]
    margin = (TAPS - 1) * channels
    down = np.zeros((3, broad + 2 * margin), np.float32)
    across = np.empty((3, wide), np.float32)
    two = np.float32(2)
    for row in range(start, stop):
        for m in range(3):
            inner = down[m, margin : margin + broad]
            inner[:] = 0
            for k in range(max(0, row - tall + 1), min(TAPS, row + 1)):
                given, weight = maps[m, row - k], line[k]
                for x in range(broad):
                    inner[x] += weight * given[x]
            _across(down[m], line, channels, across[m])
        plain, square, product = across[0], across[1], across[2]
        one, other, out = a[row], b[row], slopes[row]
        for x in range(wide):
            total = plain[x] + two * one[x] * square[x] + other[x] * product[x]
            out[x] = part * total
