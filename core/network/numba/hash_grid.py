"""The hashed tri-plane of numpy/hash_grid.py and its gradients for a CPU, in one pass a level.

torch's own operations would need some forty passes over (levels, planes, points, corners).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...system.machine import available_cores
from ...system.numba_setup import compiled, inlined
from ...system.threads import for_each
from ..numpy.hash_grid import PLANES, PRIME, Level

Floats = NDArray[Any]  # float32 or float64, all of one call alike


def features(points: Floats, table: Floats, levels: list[Level]) -> Floats:
    """As hash_grid.features: points (N, 3) in [-1, 1] -> (N, L * F)."""
    width = table.shape[1]
    out = np.empty((len(points), len(levels) * width), table.dtype)

    def one(index: int) -> None:
        side, rows, first = levels[index]
        own = out[:, index * width : (index + 1) * width]
        _forward(points, table, side, rows, first, own)

    for_each(one, range(len(levels)), available_cores())
    return out


def gradients(
    points: Floats, table: Floats, levels: list[Level], slopes: Floats
) -> tuple[Floats, Floats]:
    """The gradients of the points (N, 3) and of the table, given that of the features, slopes
    (N, L * F). No bit depends on the number of threads: levels share no row."""
    width = table.shape[1]
    of_points = np.zeros((len(levels), *points.shape), points.dtype)
    of_table = np.zeros_like(table)

    def one(index: int) -> None:
        side, rows, first = levels[index]
        given = slopes[:, index * width : (index + 1) * width]
        _backward(points, table, side, rows, first, given, of_points[index], of_table)

    for_each(one, range(len(levels)), available_cores())
    return of_points.sum(axis=0), of_table


@inlined
def _row(x, y, side, rows):  # type: ignore[no-untyped-def]
    """hash_grid.rows_at"""
    return y * side + x if rows == side * side else (x ^ (y * PRIME)) & (rows - 1)


@inlined
def _corners(u, v, side, rows, first, plane, at, shares, slopes):  # type: ignore[no-untyped-def]
    """Fill, for a point (u, v) of one plane, its row of: at (3, 4) rows of the table, shares (3, 4)
    of them in its sample, slopes (3, 2, 4) of these shares by u and v."""
    number = shares.dtype.type
    one, last = number(1), number(side - 1)
    half = number((side - 1) / 2)
    x, y = (u + one) * half, (v + one) * half
    right = half if 0 <= x <= last else number(0)  # no slope where the point is clamped
    down = half if 0 <= y <= last else number(0)
    x, y = min(max(x, number(0)), last), min(max(y, number(0)), last)
    x0, y0 = np.int64(x), np.int64(y)
    x1, y1 = min(x0 + 1, side - 1), min(y0 + 1, side - 1)
    wx, wy = x - number(x0), y - number(y0)
    at[plane, 0] = first + _row(x0, y0, side, rows)
    at[plane, 1] = first + _row(x1, y0, side, rows)
    at[plane, 2] = first + _row(x0, y1, side, rows)
    at[plane, 3] = first + _row(x1, y1, side, rows)
    shares[plane, 0], shares[plane, 1] = (one - wx) * (one - wy), wx * (one - wy)
    shares[plane, 2], shares[plane, 3] = (one - wx) * wy, wx * wy
    slopes[plane, 0, 0], slopes[plane, 0, 1] = -right * (one - wy), right * (one - wy)
    slopes[plane, 0, 2], slopes[plane, 0, 3] = -right * wy, right * wy
    slopes[plane, 1, 0], slopes[plane, 1, 1] = -down * (one - wx), -down * wx
    slopes[plane, 1, 2], slopes[plane, 1, 3] = down * (one - wx), down * wx


# No row of an array as an array of its own: numba would count references to it, atomically.


@compiled
def _forward(points, table, side, rows, first, out):  # type: ignore[no-untyped-def]
    at, width = np.empty((3, 4), np.uint64), table.shape[1]
    shares, slopes = np.empty((3, 4), table.dtype), np.empty((3, 2, 4), table.dtype)
    for n in range(len(points)):
        for plane in range(3):
            a, b = PLANES[plane]
            begin = first + plane * rows
            _corners(points[n, a], points[n, b], side, rows, begin, plane, at, shares, slopes)
            r0, r1, r2, r3 = at[plane, 0], at[plane, 1], at[plane, 2], at[plane, 3]
            s0, s1, s2, s3 = shares[plane, 0], shares[plane, 1], shares[plane, 2], shares[plane, 3]
            for f in range(width):
                sample = s0 * table[r0, f] + s1 * table[r1, f]
                sample += s2 * table[r2, f] + s3 * table[r3, f]
                out[n, f] = sample if plane == 0 else out[n, f] * sample


@compiled
def _backward(points, table, side, rows, first, given, of_points, of_table):  # type: ignore[no-untyped-def]
    width, zero = table.shape[1], table.dtype.type(0)
    at, shares = np.empty((3, 4), np.uint64), np.empty((3, 4), table.dtype)
    slopes, samples = np.empty((3, 2, 4), table.dtype), np.empty((3, width), table.dtype)
    for n in range(len(points)):
        for plane in range(3):
            a, b = PLANES[plane]
            begin = first + plane * rows
            _corners(points[n, a], points[n, b], side, rows, begin, plane, at, shares, slopes)
            r0, r1, r2, r3 = at[plane, 0], at[plane, 1], at[plane, 2], at[plane, 3]
            s0, s1, s2, s3 = shares[plane, 0], shares[plane, 1], shares[plane, 2], shares[plane, 3]
            for f in range(width):
                sample = s0 * table[r0, f] + s1 * table[r1, f]
                sample += s2 * table[r2, f] + s3 * table[r3, f]
                samples[plane, f] = sample
        for plane in range(3):
            a, b = PLANES[plane]
            one, other = (plane + 1) % 3, (plane + 2) % 3
            r0, r1, r2, r3 = at[plane, 0], at[plane, 1], at[plane, 2], at[plane, 3]
            s0, s1, s2, s3 = shares[plane, 0], shares[plane, 1], shares[plane, 2], shares[plane, 3]
            p0, p1, p2, p3 = zero, zero, zero, zero
            for f in range(width):
                slope = given[n, f] * samples[one, f] * samples[other, f]
                p0 += slope * table[r0, f]
                p1 += slope * table[r1, f]
                p2 += slope * table[r2, f]
                p3 += slope * table[r3, f]
                of_table[r0, f] += s0 * slope
                of_table[r1, f] += s1 * slope
                of_table[r2, f] += s2 * slope
                of_table[r3, f] += s3 * slope
            of_points[n, a] += p0 * slopes[plane, 0, 0] + p1 * slopes[plane, 0, 1]
            of_points[n, a] += p2 * slopes[plane, 0, 2] + p3 * slopes[plane, 0, 3]
            of_points[n, b] += p0 * slopes[plane, 1, 0] + p1 * slopes[plane, 1, 1]
            of_points[n, b] += p2 * slopes[plane, 1, 2] + p3 * slopes[plane, 1, 3]
