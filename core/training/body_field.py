"""Smooth fields over a mask: depth by inflating a silhouette, weights between two edges.

Both solve Poisson's equation on a coarse grid with scipy's sparse solver.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..records.arrays import Float64

Mask = NDArray[np.bool_]


def inflated(inside: Mask, size: float, thickest: float) -> Float64:
    """(H, W) half the thickness, in units of `size`, the side of a cell: 0 outside the mask. A long
    strip becomes a round cylinder, and nothing becomes thicker than about `thickest`. The grid's
    border is no edge: the shape goes on there.

    u'' = u / l^2 - 2 with u = 0 outside has the solution r^2 - x^2 in a strip of half width r << l,
    so the root of u is its cylinder; far from all edges u is 2 l^2."""
    return np.sqrt(np.maximum(_solved(inside, size, 2.0, 2 / thickest**2), 0))


def between(inside: Mask, low: Mask, high: Mask) -> Float64:
    """(H, W) harmonic in the mask: 0 in `low`, 1 in `high`; 0 outside the mask."""
    high = high & inside & ~low
    free = inside & ~low & ~high
    if not free.any():
        return np.where(high, 1.0, 0.0)
    return np.clip(_solved(free, 1.0, 0.0, 1e-6, fixed=high, closed=~inside), 0, 1)


def _solved(
    free: Mask,
    size: float,
    source: float,
    decay: float,
    fixed: Mask | None = None,
    closed: Mask | None = None,
) -> Float64:
    """u with -u'' + decay u = source where `free`; elsewhere 1 in `fixed`, else 0. No flux passes
    into `closed` and over the grid's border."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.linalg import spsolve

    shape = free.shape
    index = np.full(shape, -1)
    index[free] = np.arange(free.sum())
    ones = np.zeros(shape) if fixed is None else fixed.astype(np.float64)
    wall = np.zeros(shape, bool) if closed is None else closed
    count = int(free.sum())
    diagonal, right = np.full(count, decay), np.full(count, source)
    rows: list[Any] = []
    columns: list[Any] = []
    inverse = 1 / size**2
    for axis, step in ((0, 1), (0, -1), (1, 1), (1, -1)):
        here = tuple(_shifted(axis, -step))
        there = tuple(_shifted(axis, step))
        from_, to = index[here], index[there]
        linked = (from_ >= 0) & ~wall[there]
        diagonal += np.bincount(from_[linked], minlength=count) * inverse
        both = linked & (to >= 0)
        rows.append(from_[both])
        columns.append(to[both])
        known = linked & (to < 0)
        right += np.bincount(from_[known], ones[there][known] * inverse, minlength=count)
    diagonal = np.maximum(diagonal, 1e-9)
    row, column = np.concatenate(rows), np.concatenate(columns)
    values = np.concatenate([np.full(len(row), -inverse), diagonal])
    each = np.arange(count)
    matrix = coo_matrix(
        (values, (np.concatenate([row, each]), np.concatenate([column, each]))), (count, count)
    )
    out = ones.copy()
    out[free] = spsolve(matrix.tocsc(), right)
    return out


def _shifted(axis: int, step: int) -> list[slice]:
    """All cells that have a neighbour on the side -step, or that are it."""
    part = slice(max(step, 0), None if step >= 0 else step)
    return [part if axis == k else slice(None) for k in (0, 1)]
