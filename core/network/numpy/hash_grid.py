"""A tri-plane of hash tables: Instant-NGP's multi-resolution hash grid (Müller 2022) in 2-D.

Each of the three planes has L levels, from coarse to fine. A level is a grid of side x side
vertices, each with F features; they are stored in `rows` rows of a table. A level that fits has a
row for each vertex; in the others the vertices share the rows by a spatial hash, and training
settles whose features a shared row holds. A sample is bilinear. A level's features are the product
of its three samples, and the levels are concatenated, as for dense planes (triplane.py).

`tri_plane.hash.levels` (L, 2): side and rows. `tri_plane.hash.table` (3 * sum of rows, F): level by
level, and within a level plane by plane.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...records.arrays import Float32
from ..names import HASH_LEVELS, HASH_TABLE
from .basics import Arrays

PRIME = 2654435761  # Instant-NGP's for the second coordinate; the first has 1
MAX_LEVELS = 32
MAX_SIDE = 4096  # so that no product with PRIME overflows 64 bits
# Coordinates of each plane: the first is a grid's x, the second its y.
PLANES = ((0, 1), (0, 2), (1, 2))


class Level(NamedTuple):
    """side: vertices along an axis. rows: of each plane's part of the table. first: the table's row
    at which the level begins."""

    side: int
    rows: int
    first: int


def levels_of(values: NDArray[np.floating]) -> list[Level]:
    """`tri_plane.hash.levels` (L, 2) -> its levels."""
    levels, first = [], 0
    for side, rows in values:
        levels.append(Level(int(side), int(rows), first))
        first += 3 * int(rows)
    return levels


def new_levels(count: int, coarsest: int, finest: int, limit: int) -> Float32:
    """(count, 2) for `tri_plane.hash.levels`: sides that grow by a constant factor, in at most
    `limit` rows, a power of two."""
    sides = np.round(np.geomspace(coarsest, finest, count)).astype(np.int64)
    return np.stack([sides, np.minimum(sides * sides, limit)], axis=1).astype(np.float32)


def rows_at(x: Any, y: Any, level: Level) -> Any:
    """The row of the level's table for each vertex. x, y: int64, of numpy or torch."""
    if level.rows == level.side * level.side:
        return y * level.side + x
    return (x ^ (y * PRIME)) & (level.rows - 1)


def features(arrays: Arrays, points: Float32) -> Float32:
    """points (N, 3) in [-1, 1], clamped to the border, -1 and 1 being the outer vertices ->
    (N, L * F)."""
    table = arrays[HASH_TABLE]
    return np.concatenate(
        [_product(table, level, points) for level in levels_of(arrays[HASH_LEVELS])], axis=1
    )


def _product(table: Float32, level: Level, points: Float32) -> Float32:
    """(N, F) of one level."""
    out = np.ones((len(points), table.shape[1]), np.float32)
    for plane, (a, b) in enumerate(PLANES):
        begin = level.first + plane * level.rows
        out *= _sample(table[begin : begin + level.rows], level, points[:, a], points[:, b])
    return out


def _sample(rows: Float32, level: Level, u: Float32, v: Float32) -> Float32:
    """rows (level.rows, F); u, v (N,) -> (N, F), bilinear."""
    last = level.side - 1
    x = np.clip((u + np.float32(1)) * np.float32(last / 2), 0, last)
    y = np.clip((v + np.float32(1)) * np.float32(last / 2), 0, last)
    x0, y0 = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    x1, y1 = np.minimum(x0 + 1, last), np.minimum(y0 + 1, last)
    wx, wy = (x - x0).astype(np.float32)[:, None], (y - y0).astype(np.float32)[:, None]
    one = np.float32(1)
    top = rows[rows_at(x0, y0, level)] * (one - wx) + rows[rows_at(x1, y0, level)] * wx
    bottom = rows[rows_at(x0, y1, level)] * (one - wx) + rows[rows_at(x1, y1, level)] * wx
    return top * (one - wy) + bottom * wy


def shared(arrays: Arrays, points: Float32) -> list[float]:
    """For each level, the share of the vertices around the points (N, 3) in [-1, 1] that share
    their row with another one of these vertices."""
    out = []
    for level in levels_of(arrays[HASH_LEVELS]):
        last, count, total = level.side - 1, 0, 0
        low = np.floor((np.clip(points, -1, 1) + 1) * (last / 2)).astype(np.int64)
        high = np.minimum(low + 1, last)
        for a, b in PLANES:
            x = np.concatenate([low[:, a], high[:, a], low[:, a], high[:, a]])
            y = np.concatenate([low[:, b], low[:, b], high[:, b], high[:, b]])
            y, x = np.divmod(np.unique(y * level.side + x), level.side)
            used = np.bincount(rows_at(x, y, level))
            count += int(used[used > 1].sum())
            total += len(x)
        out.append(count / max(total, 1))
    return out
