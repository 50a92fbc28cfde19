"""The rasteriser of the built-in engine: numpy alone, one tile at a time, float32.

A tile takes its Gaussians in portions. Within a portion everything is one array (Gaussians,
pixels): the exponent is a matrix product, the transmittance a running product, the colour a matrix
product again. einsum multiplies, as fast here as a BLAS, which Blender's own numpy lacks. Threads
were measured and gain nothing: the steps between two acquisitions of the GIL are too short.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ...images.image import Image
from ...records.arrays import Float32
from ...records.camera import Camera
from ...records.gaussians import Splats
from ..picture import check, finish, finish_depth
from ..projection import Ellipses, grid, project
from ..rasteriser import MAX_ALPHA, MIN_ALPHA, MIN_TRANSMITTANCE, TILE
from .spans import spans_of_row

LANE = 8  # consecutive Gaussians whose running product is taken step by step
PORTION = 16 * LANE  # Gaussians blended at once: with 256 pixels it stays in the CPU's cache
NOTHING = -1e4  # a logarithm of opacity that is invisible everywhere


def rasterise(
    splats: Splats,
    camera: Camera,
    background: NDArray[np.float32] | None = None,
    sh_degree: int = 3,
    depth: Float32 | None = None,
) -> Image:
    """A `Rasteriser` (docs/method.md §3.11)."""
    check(camera, background, sh_degree, depth)
    ellipses = project(splats, camera, sh_degree)
    columns, rows = grid(camera)
    channels = 3 if depth is None else 4  # depth is blended like a colour
    colour = np.zeros((rows * TILE, columns * TILE, channels), np.float32)
    transmittance = np.ones((rows * TILE, columns * TILE), np.float32)

    for row in range(rows):
        for column, table in _tiles_of_row(ellipses, row, channels):
            area = np.s_[row * TILE : (row + 1) * TILE, column * TILE : (column + 1) * TILE]
            tile_colour, tile_left = _blend(table)
            colour[area] = tile_colour.T.reshape(TILE, TILE, channels)
            transmittance[area] = tile_left.reshape(TILE, TILE)
    seen = np.s_[: camera.height, : camera.width]
    colour, transmittance = colour[seen], transmittance[seen]
    if depth is not None:
        finish_depth(colour[..., 3], transmittance, depth)
    return finish(colour[..., :3], transmittance, background)


def _tiles_of_row(ellipses: Ellipses, row: int, channels: int) -> Iterator[tuple[int, Float32]]:
    """Each tile of a row that something touches: its column and the table (M, 7 + channels) of its
    Gaussians, nearest first."""
    gaussians, first, last = spans_of_row(ellipses, row)
    counts = last - first
    order = np.repeat(gaussians, counts)
    ends = np.cumsum(counts)
    columns = np.arange(len(order)) + np.repeat(first - (ends - counts), counts)
    order = order[np.argsort(columns.astype(np.uint16), kind="stable")]
    bounds = np.concatenate([[0], np.cumsum(np.bincount(columns))])
    for column in np.flatnonzero(np.diff(bounds)).tolist():
        # One table at a time: for a camera inside the head a row's tables would fill the memory.
        listed = order[bounds[column] : bounds[column + 1]]
        yield column, _table(ellipses, listed, column, row, channels)


def _table(
    ellipses: Ellipses, order: NDArray[np.int64], column: int, row: int, channels: int
) -> Float32:
    """(M, 7 + channels): factors of 1, x, y, xx, xy, yy in ln(opacity) + power; opacity; red,
    green, blue; of four channels, depth. x and y count from the tile's middle: there the terms are
    small enough for float32."""
    x, y = ellipses.centres[order].T
    x, y = x - (column + 0.5) * TILE, y - (row + 0.5) * TILE
    a, b, c = ellipses.conics[order].T
    opacity = ellipses.opacities[order]
    along_x, along_y = a * x + b * y, b * x + c * y
    constant = np.log(opacity) - (along_x * x + along_y * y) / 2
    table = np.empty((len(order), 7 + channels), np.float32)
    for k, values in enumerate((constant, along_x, along_y, -a / 2, -b, -c / 2, opacity)):
        table[:, k] = values
    table[:, 7:10] = ellipses.colours[order]
    if channels > 3:
        table[:, 10] = ellipses.depths[order]
    return table


def _pixel_powers() -> Float32:
    """(6, 256) 1, x, y, xx, xy, yy of the tile's pixels, counted from its middle."""
    y, x = np.mgrid[:TILE, :TILE].reshape(2, -1) - (TILE - 1) / 2
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y]).astype(np.float32)


PIXELS = _pixel_powers()


def _blend(table: Float32) -> tuple[Float32, Float32]:
    """Table (M, 7 + C) of one tile -> colour (C, 256) and transmittance (256,)."""
    colour = np.zeros((table.shape[1] - 7, TILE * TILE), np.float32)
    left = np.ones(TILE * TILE, np.float32)  # transmittance of what is drawn so far
    open_left = left.copy()  # the same, but 0 where the stop rule has ended the pixel
    for start in range(0, len(table), PORTION):
        portion = _in_lanes(table[start : start + PORTION])
        alpha = _alphas(portion)
        weights, after = _running_product(alpha, open_left)
        weights *= alpha
        last = after[-1, -1]
        goes_on = last >= np.float32(MIN_TRANSMITTANCE)
        ends = np.flatnonzero(~goes_on & (open_left > 0))
        if len(ends):
            drawn = after >= np.float32(MIN_TRANSMITTANCE)
            weights *= drawn
            left[ends] = np.where(drawn[..., ends], after[..., ends], open_left[ends]).min((0, 1))
        rgb = np.ascontiguousarray(portion[:, 7:].T)
        colour += np.einsum("ck,kp->cp", rgb, weights.reshape(-1, TILE * TILE))
        left = np.where(goes_on, last, left)
        open_left = np.where(goes_on, last, np.float32(0))
        if not goes_on.any():
            break
    return colour, left


def _in_lanes(portion: Float32) -> Float32:
    """Filled up to a multiple of LANE with invisible Gaussians, and reordered: Gaussian k
    goes to row (k % LANE) * lanes + k // LANE, so that one step of the running product in all
    lanes is one contiguous array."""
    lanes = -(-len(portion) // LANE)
    width = portion.shape[1]
    padded = np.zeros((lanes * LANE, width), np.float32)
    padded[:, 0] = NOTHING
    padded[: len(portion)] = portion
    return padded.reshape(lanes, LANE, width).swapaxes(0, 1).reshape(-1, width)


def _alphas(portion: Float32) -> Float32:
    """(LANE, lanes, 256)"""
    alpha = np.exp(np.einsum("kc,cp->kp", portion[:, :6], PIXELS))
    opaque = np.flatnonzero(portion[:, 6] > np.float32(MAX_ALPHA))
    alpha[opaque] = np.minimum(alpha[opaque], np.float32(MAX_ALPHA))
    alpha *= alpha >= np.float32(MIN_ALPHA)
    return alpha.reshape(LANE, -1, TILE * TILE)


def _running_product(alpha: Float32, start: Float32) -> tuple[Float32, Float32]:
    """Transmittance before and after each Gaussian, both (LANE, lanes, 256)."""
    after = 1 - alpha
    for step in range(1, LANE):
        after[step] *= after[step - 1]
    lane_start = np.empty_like(after[0])
    lane_start[0] = start
    for lane in range(1, len(lane_start)):
        np.multiply(lane_start[lane - 1], after[-1, lane - 1], out=lane_start[lane])
    after *= lane_start
    before = np.empty_like(after)
    before[0] = lane_start
    before[1:] = after[:-1]
    return before, after
