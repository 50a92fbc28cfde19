"""Forwards and backwards through the numba kernels, numpy in and out, threads over parts.

Every part writes only its own values, and sums run in one order, so that neither the picture nor a
gradient depends on the number of threads.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...records.arrays import Float32, Float64
from ...records.camera import Camera
from ...system.numba_setup import compiled
from ...system.threads import for_each
from .bin import distribute
from .blend import blend_row
from .blend_back import SUMS, blend_row_back
from .project_back import project_range_back
from .projected import PART, Inputs, of_camera, projected

Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Row:
    """One row of tiles. places (M,): where the sums of its Gaussians are stored; starts
    (columns + 1,) and listed: the lists of its tiles, counted within the row; centres (M, 2) and
    table (M, COLUMNS)."""

    places: Int64
    starts: Int64
    listed: Int32
    centres: Float64
    table: Float32


@dataclass(frozen=True, eq=False)
class Drawn:
    """A picture and what its derivative needs. colour (H, W, 3) premultiplied, left (H, W) the
    transmittance, radii (N,) pixels, table (N, COLUMNS), places (N + 1,): Gaussian i has sums at
    places[i] .. places[i + 1], one for each row of tiles."""

    colour: Float32
    left: Float32
    radii: Float32
    table: Float32
    places: Int64
    rows: list[Row]


def forwards(inputs: Inputs, camera: Camera, sh_degree: int, threads: int) -> Drawn:
    """The picture before any background."""
    seen = projected(inputs, camera, sh_degree, threads)
    places = _places(seen.radii, seen.rects)
    colour = np.empty((camera.height, camera.width, 3), np.float32)
    left = np.empty((camera.height, camera.width), np.float32)
    found: dict[int, Row] = {}

    def draw(row: int) -> None:
        of_row = seen.of_row(row)
        parts = _gather(of_row, row, places, seen.rects, seen.centres, seen.table)
        own_places, own_rects, own_centres, own_table = parts
        order = np.arange(len(of_row), dtype=np.int32)
        starts, listed = distribute(order, own_rects, 0, seen.columns)
        blend_row(row, starts, listed, own_centres, own_table, colour, left, None, None)
        found[row] = Row(own_places, starts, listed, own_centres, own_table)

    for_each(draw, range(seen.rows), threads)
    rows = [found[row] for row in range(seen.rows)]
    return Drawn(colour, left, seen.radii, seen.table, places, rows)


def backwards(
    inputs: Inputs,
    camera: Camera,
    sh_degree: int,
    drawn: Drawn,
    colour_slope: Float32,
    alpha_slope: Float32,
    threads: int,
) -> tuple[Float32, ...]:
    """Gradients of means, quats, scales, opacities, sh and of the projected centres (N, 2) for the
    picture's: colour_slope (H, W, 3), alpha_slope (H, W)."""
    count = len(inputs[0])
    partial = np.empty((drawn.places[-1], SUMS), np.float32)
    slopes = tuple(np.empty_like(values) for values in inputs)
    centre_slopes = np.empty((count, 2), np.float32)
    viewed = of_camera(camera)

    def blend(row: int) -> None:
        own = drawn.rows[row]
        sums = np.zeros((len(own.places), SUMS), np.float32)
        blend_row_back(
            row, own.starts, own.listed, own.centres, own.table, drawn.colour, drawn.left,
            colour_slope, alpha_slope, sums,
        )  # fmt: skip
        partial[own.places] = sums

    def project(start: int) -> None:
        project_range_back(
            start, min(start + PART, count), *inputs, sh_degree, *viewed, drawn.table,
            drawn.radii, drawn.places, partial, *slopes, centre_slopes,
        )  # fmt: skip

    for_each(blend, range(len(drawn.rows)), threads)
    for_each(project, range(0, count, PART), threads)
    return (*slopes, centre_slopes)


@compiled
def _places(radii: Float32, rects: Int32) -> Int64:
    """(N + 1,): running count of the rows of tiles that each Gaussian touches."""
    places = np.zeros(len(radii) + 1, np.int64)
    for i in range(len(radii)):
        tall = rects[i, 3] - rects[i, 1] if radii[i] > 0 else 0
        places[i + 1] = places[i] + tall
    return places


@compiled
def _gather(
    of_row: Int32, row: int, places: Int64, rects: Int32, centres: Float64, table: Float32
) -> tuple[Int64, Int32, Float64, Float32]:
    """The numbers of one row's Gaussians, contiguous."""
    count = len(of_row)
    own_places = np.empty(count, np.int64)
    own_rects = np.empty((count, 4), np.int32)
    own_centres = np.empty((count, 2), np.float64)
    own_table = np.empty((count, table.shape[1]), np.float32)
    for k in range(count):
        i = of_row[k]
        own_places[k] = places[i] + row - rects[i, 1]
        own_rects[k] = rects[i]
        own_centres[k] = centres[i]
        own_table[k] = table[i]
    return own_places, own_rects, own_centres, own_table
