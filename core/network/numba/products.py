"""The products of training's kernels: one layer's weights in the array of a part (block.py), what a
block gives, and its slopes backwards."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...records.arrays import Float32
from ...system.numba_setup import compiled
from .block import sums
from .dots import BROAD, TALL, dots
from .tiles import HEIGHT, LANES, make_tile

BLOCKS = 96 // LANES  # whose values stay in the second cache, for `count`: long dot products

_tile = make_tile(add=False, relu=False)
_tile_relu = make_tile(add=False, relu=True)
_tile_add = make_tile(add=True, relu=False)


class Product(NamedTuple):
    """Places in the array, all numbers of rows whole tiles. forth: the weights (inputs, outputs) as
    pack.pack writes them; back: their transpose; bias: (outputs,) or HEIGHT zeros; slopes: of the
    weights, as `dots` fills them; bias_slopes: (outputs, WIDTH) sums."""

    inputs: int
    outputs: int
    forth: int
    back: int
    bias: int
    slopes: int
    bias_slopes: int


class Region(NamedTuple):
    """Rows for each of BLOCKS blocks."""

    at: int
    rows: int


@compiled
def place(region: Region, block: int) -> int:
    return region.at + block * region.rows * LANES


@compiled
def multiply(values: Float32, product: Product, x: int, out: int, relu: bool) -> None:
    """out = x times the weights plus the bias; not below 0 if `relu`."""
    count = product.inputs
    for j in range(0, product.outputs, HEIGHT):
        weights, bias, to = product.forth + j * count, product.bias + j, out + j * LANES
        if relu:
            _tile_relu(values, x, values, weights, values, bias, values, to, count)
        else:
            _tile(values, x, values, weights, values, bias, values, to, count)


@compiled
def multiply_add(values: Float32, product: Product, x: int, given: int, out: int) -> None:
    """out = given + x times the weights."""
    count = product.inputs
    for j in range(0, product.outputs, HEIGHT):
        weights, more = product.forth + j * count, j * LANES
        _tile_add(values, x, values, weights, values, given + more, values, out + more, count)


@compiled
def back(values: Float32, product: Product, slopes: int, zeros: int, out: int) -> None:
    """out = the slopes of the outputs times the transposed weights. zeros: HEIGHT of them."""
    count = product.outputs
    for j in range(0, product.inputs, HEIGHT):
        weights, to = product.back + j * count, out + j * LANES
        _tile(values, slopes, values, weights, values, zeros, values, to, count)


@compiled
def back_add(values: Float32, product: Product, slopes: int, out: int) -> None:
    """`back`, added to out."""
    count = product.outputs
    for j in range(0, product.inputs, HEIGHT):
        weights, to = product.back + j * count, out + j * LANES
        _tile_add(values, slopes, values, weights, values, to, values, to, count)


@compiled
def count_in(values: Float32, product: Product, x: Region, slopes: Region, blocks: int) -> None:
    """Add the gradient of the weights."""
    tiles = product.outputs // BROAD
    for i in range(0, product.inputs, TALL):
        for j in range(tiles):
            dots(
                values, x.at + i * LANES, x.rows * LANES, slopes.at + j * BROAD * LANES,
                slopes.rows * LANES, product.slopes + (i * tiles + j * TALL) * BROAD, blocks,
            )  # fmt: skip


@compiled
def count_bias(values: Float32, product: Product, slopes: Region, blocks: int) -> None:
    for block in range(blocks):
        sums(values, place(slopes, block), product.bias_slopes, 0, 0, 0, product.outputs)


@compiled
def load(source: Float32, first: int, centre: float, values: Float32, at: int, rows: int) -> None:
    """Gaussians from `first` on of source (N, width), less `centre`, as a block of so many rows;
    zeros where there are no more Gaussians or columns."""
    count, width = min(LANES, len(source) - first), source.shape[1]
    less = np.float32(centre)
    for row in range(width):
        to = at + row * LANES
        for lane in range(count):
            values[to + lane] = source[first + lane, row] - less
        for lane in range(count, LANES):
            values[to + lane] = np.float32(0)
    values[at + width * LANES : at + rows * LANES] = np.float32(0)


@compiled
def store(values: Float32, at: int, target: Float32, first: int) -> None:
    """The inverse of `load`."""
    count = min(LANES, len(target) - first)
    for lane in range(count):
        for row in range(target.shape[1]):
            target[first + lane, row] = values[at + row * LANES + lane]
