"""The last layer and the heads of a block of Gaussians in one pass, nothing written between.

Everything of a block (LANES Gaussians) stays in the first-level cache: LANES floats per feature,
one Gaussian per lane, so that a norm over the features is a sum of vectors.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..numba_setup import compiled
from .basics import LAYER_NORM_EPS
from .numba_tiles import HEIGHT, LANES, make_tile

Float32 = NDArray[np.float32]
Int64 = NDArray[np.int64]

# Columns of the table of products: where its weights and bias begin, inputs, outputs.
WEIGHTS, BIAS, INPUTS, OUTPUTS, COLUMNS = range(5)
# Rows of that table: the feed-forward's two products, then two of each head.
INNER, OUTER, HEADS = range(3)

_tile = make_tile(add=False, relu=False)
_tile_relu = make_tile(add=False, relu=True)
_tile_add = make_tile(add=True, relu=False)


@compiled
def deform_rows(
    start: int,
    mix: Float32,
    values: Float32,
    centred: Float32,
    pool: Float32,
    products: Int64,
    norm: Float32,
    strength: float,
    canonical: tuple[Float32, ...],
    moved: tuple[Float32, ...],
    scratch: Float32,
) -> None:
    """Gaussians start .. start + len(mix). mix (n, M) of these; values: (M, D) packed; centred
    (N, D); pool: packed weights and biases; products (2 + 2 H, COLUMNS); norm (3, D): gamma of the
    first norm, gamma and beta of the second; canonical, moved: H arrays (N, width), the latter
    filled. scratch: `scratch_floats` of them."""
    dim = centred.shape[1]
    inputs = mix.shape[1]
    nothing = 0
    x_at = 0
    hidden_at = padded(dim) * LANES
    out_at = hidden_at + _widest(products) * LANES
    mix_at = out_at + padded(dim) * LANES
    for first in range(0, len(mix), LANES):
        count = min(LANES, len(mix) - first)
        _gather(mix, first, count, scratch, mix_at)
        _gather(centred, start + first, count, scratch, out_at)
        for j in range(0, padded(dim), HEIGHT):
            _tile_add(
                scratch, mix_at, values, j * inputs, pool, nothing, scratch, out_at + j * LANES,
                inputs,
            )  # fmt: skip
        _scale_into(scratch, out_at, x_at, dim)
        _product(pool, products[INNER], scratch, x_at, hidden_at, True)
        _first_norm(scratch, x_at, out_at, dim, norm[0], pool, products[OUTER, BIAS])
        outer = products[OUTER]
        for j in range(0, padded(dim), HEIGHT):
            _tile_add(
                scratch, hidden_at, pool, outer[WEIGHTS] + j * outer[INPUTS], pool, nothing,
                scratch, out_at + j * LANES, outer[INPUTS],
            )  # fmt: skip
        _scale_into(scratch, out_at, x_at, dim)
        _second_norm(scratch, x_at, dim, norm[1], norm[2])
        for head in range(len(moved)):
            _product(pool, products[HEADS + 2 * head], scratch, x_at, hidden_at, True)
            _product(pool, products[HEADS + 2 * head + 1], scratch, hidden_at, out_at, False)
            _move(canonical[head], start + first, count, scratch, out_at, strength, moved[head])


@compiled
def padded(count: int) -> int:
    """Outputs, filled up to whole tiles."""
    return (count + HEIGHT - 1) // HEIGHT * HEIGHT


@compiled
def _widest(products: Int64) -> int:
    widest = 0
    for row in range(len(products)):
        widest = max(widest, padded(products[row, OUTPUTS]))
    return widest


@compiled
def scratch_floats(dim: int, inputs: int, products: Int64) -> int:
    """What `deform_rows` needs: normed input, hidden, output, mix."""
    return (padded(dim) + 2 * _widest(products) + inputs) * LANES


@compiled
def _product(
    pool: Float32, product: Int64, scratch: Float32, x_at: int, out_at: int, relu: bool
) -> None:
    count = product[INPUTS]
    for j in range(0, product[OUTPUTS], HEIGHT):
        weights, bias, out = product[WEIGHTS] + j * count, product[BIAS] + j, out_at + j * LANES
        if relu:
            _tile_relu(scratch, x_at, pool, weights, pool, bias, scratch, out, count)
        else:
            _tile(scratch, x_at, pool, weights, pool, bias, scratch, out, count)


@compiled
def _gather(rows: Float32, first: int, count: int, scratch: Float32, at: int) -> None:
    """rows (., width) of one block to (width, LANES); lanes without a Gaussian are 0."""
    width = rows.shape[1]
    if count < LANES:
        scratch[at : at + width * LANES] = 0
    for lane in range(count):
        for k in range(width):
            scratch[at + k * LANES + lane] = rows[first + lane, k]


@compiled
def _scale_into(scratch: Float32, source: int, target: int, dim: int) -> None:
    """Centred values over their deviation."""
    total = np.zeros(LANES, np.float32)
    for k in range(dim):
        at = source + k * LANES
        for lane in range(LANES):
            total[lane] += scratch[at + lane] * scratch[at + lane]
    for lane in range(LANES):
        variance = total[lane] / np.float32(dim)
        total[lane] = np.float32(1) / np.sqrt(variance + LAYER_NORM_EPS)
    for k in range(dim):
        at, to = source + k * LANES, target + k * LANES
        for lane in range(LANES):
            scratch[to + lane] = scratch[at + lane] * total[lane]


@compiled
def _first_norm(
    scratch: Float32, source: int, target: int, dim: int, gamma: Float32, pool: Float32, bias: int
) -> None:
    """gamma times the scaled input, centred again, plus the bias: what the hidden part is added to
    (beta and the centring of the weights are in the bias and the weights)."""
    mean = np.zeros(LANES, np.float32)
    for k in range(dim):
        at, to = source + k * LANES, target + k * LANES
        for lane in range(LANES):
            value = scratch[at + lane] * gamma[k]
            scratch[to + lane] = value
            mean[lane] += value
    for lane in range(LANES):
        mean[lane] /= np.float32(dim)
    for k in range(dim):
        to = target + k * LANES
        for lane in range(LANES):
            scratch[to + lane] += pool[bias + k] - mean[lane]


@compiled
def _second_norm(scratch: Float32, at: int, dim: int, gamma: Float32, beta: Float32) -> None:
    """And the ReLU with which every head begins."""
    for k in range(dim):
        for lane in range(at + k * LANES, at + (k + 1) * LANES):
            scratch[lane] = max(scratch[lane] * gamma[k] + beta[k], np.float32(0))


@compiled
def _move(
    canonical: Float32,
    first: int,
    count: int,
    scratch: Float32,
    at: int,
    strength: float,
    moved: Float32,
) -> None:
    factor = np.float32(strength)
    for lane in range(count):
        i = first + lane
        for k in range(canonical.shape[1]):
            moved[i, k] = canonical[i, k] + factor * scratch[at + k * LANES + lane]


@compiled
def product_speed(values: Float32, count: int, outputs: int, repeats: int) -> None:
    """The product alone, again and again, for the bench: (count, LANES) inputs, then outputs, then
    count x outputs weights in `values`."""
    out_at = count * LANES
    w_at = out_at + outputs * LANES
    for _ in range(repeats):
        for j in range(0, outputs, HEIGHT):
            _tile(
                values, 0, values, w_at + j * count, values, w_at, values, out_at + j * LANES, count
            )
