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
        _forward(points, table, side, rows, first, out[:, index * width : (index + 1) * width])

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
def _corners(u, v, side, rows, first, at, shares, slopes):  # type: ignore[no-untyped-def]
    """Fill, for a point (u, v) of one plane: at (4,) rows of the table, shares (4,) of them in its
    sample, slopes (2, 4) of these shares by u and v."""
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
    at[0], at[1] = first + _row(x0, y0, side, rows), first + _row(x1, y0, side, rows)
    at[2], at[3] = first + _row(x0, y1, side, rows), first + _row(x1, y1, side, rows)
    shares[0], shares[1] = (one - wx) * (one - wy), wx * (one - wy)
    shares[2], shares[3] = (one - wx) * wy, wx * wy
    slopes[0, 0], slopes[0, 1] = -right * (one - wy), right * (one - wy)
    slopes[0, 2], slopes[0, 3] = -right * wy, right * wy
    slopes[1, 0], slopes[1, 1] = -down * (one - wx), -down * wx
    slopes[1, 2], slopes[1, 3] = down * (one - wx), down * wx


@compiled
def _forward(points, table, side, rows, first, out):  # type: ignore[no-untyped-def]
    at, width = np.empty(4, np.uint64), table.shape[1]
    shares, slopes = np.empty(4, table.dtype), np.empty((2, 4), table.dtype)
    for n in range(len(points)):
        for plane in range(3):
            a, b = PLANES[plane]
            begin = first + plane * rows
            _corners(points[n, a], points[n, b], side, rows, begin, at, shares, slopes)
            for f in range(width):
                sample = shares[0] * table[at[0], f] + shares[1] * table[at[1], f]
                sample += shares[2] * table[at[2], f] + shares[3] * table[at[3], f]
                out[n, f] = sample if plane == 0 else out[n, f] * sample


@compiled
def _backward(points, table, side, rows, first, given, of_points, of_table):  # type: ignore[no-untyped-def]
    width = table.shape[1]
    at, shares = np.empty((3, 4), np.uint64), np.empty((3, 4), table.dtype)
    slopes, samples = np.empty((3, 2, 4), table.dtype), np.empty((3, width), table.dtype)
    for n in range(len(points)):
        for plane in range(3):
            a, b = PLANES[plane]
            rows_of, parts = at[plane], shares[plane]
            begin = first + plane * rows
            _corners(points[n, a], points[n, b], side, rows, begin, rows_of, parts, slopes[plane])
            for f in range(width):
                sample = parts[0] * table[rows_of[0], f] + parts[1] * table[rows_of[1], f]
                sample += parts[2] * table[rows_of[2], f] + parts[3] * table[rows_of[3], f]
                samples[plane, f] = sample
        for plane in range(3):
            a, b = PLANES[plane]
            one, other = samples[(plane + 1) % 3], samples[(plane + 2) % 3]
            for corner in range(4):
                row, share = at[plane, corner], shares[plane, corner]
                pull = table.dtype.type(0)
                for f in range(width):
                    slope = given[n, f] * one[f] * other[f]
                    of_table[row, f] += share * slope
                    pull += slope * table[row, f]
                of_points[n, a] += pull * slopes[plane, 0, corner]
                of_points[n, b] += pull * slopes[plane, 1, corner]
