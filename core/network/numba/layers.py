"""The last layer and the decoders of a block of Gaussians in one pass, without intermediate arrays.

A decoder is two products: an official head, or the decoder of a "paper" network (architecture.py),
with KANs or without. All values of a block stay in the processor's nearest caches: LANES floats per
feature, one Gaussian per lane, so that a norm over the features is a sum of vectors.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...records.arrays import Float32
from ...system.numba_setup import compiled
from .kan import make_powers
from .norms import first_norm, scale_into, second_norm
from .tiles import HEIGHT, LANES, make_tile

Int64 = NDArray[np.int64]

# Columns of the table of products: where its weights and bias begin, inputs, outputs.
WEIGHTS, BIAS, INPUTS, OUTPUTS, COLUMNS = range(5)
# Rows of that table: the feed-forward's two products, then two of each decoder.
INNER, OUTER, DECODERS = range(3)
# Columns of the table of targets, in the order of the decoders: decoder, attribute, the decoder's
# first output for the attribute, and how many of the attribute's first values it moves.
DECODER, ATTRIBUTE, FIRST, WIDTH, TARGET_COLUMNS = range(5)

_tile = make_tile(add=False, relu=False)
_tile_relu = make_tile(add=False, relu=True)
_tile_add = make_tile(add=True, relu=False)
_powers = make_powers(squash=False)
_squashed_powers = make_powers(squash=True)


@compiled
def deform_rows(
    start: int,
    shares: Float32,
    centred: Float32,
    agents: Float32,
    values: Float32,
    pool: Float32,
    products: Int64,
    norm: Float32,
    floor: float,
    kan: bool,
    targets: Int64,
    strength: float,
    canonical: tuple[Float32, ...],
    moved: tuple[Float32, ...],
    scratch: Float32,
) -> None:
    """Move the Gaussians from `start` on, as many blocks as `centred` has.

    shares (blocks, M, LANES), agents (M, T) packed and followed by HEIGHT zeros: the mix of T rows
    is their product; where `agents` is empty the shares are the mix, M = T. centred (blocks, padded
    D, LANES); values (T, D) packed; pool: packed weights and biases; products (2 + 2 decoders,
    COLUMNS); norm (3, D): gamma of the first norm, gamma and beta of the second; floor: lower bound
    of the decoders' input (0 for a ReLU, minus infinity for none); kan: they are KANs; targets
    (., TARGET_COLUMNS); canonical, moved: an array (N, width) for each attribute, the latter's
    first columns filled where a target says so; scratch: `scratch_floats` of them."""
    dim = norm.shape[1]
    wide = padded(dim)
    mixed = len(values) // wide
    x_at = 0
    hidden_at = _widest(dim, products) * LANES
    out_at = 2 * hidden_at
    mix_at = out_at + _widest_output(dim, products) * LANES
    for block in range(len(centred)):
        _mix(shares, block, agents, mixed, scratch, mix_at)
        for j in range(0, wide, HEIGHT):
            _tile_add(
                scratch, mix_at, values, j * mixed, centred, (block * wide + j) * LANES,
                scratch, out_at + j * LANES, mixed,
            )  # fmt: skip
        scale_into(scratch, out_at, x_at, dim)
        _product(pool, products[INNER], scratch, x_at, hidden_at, True)
        first_norm(scratch, x_at, out_at, dim, norm[0], pool, products[OUTER, BIAS])
        outer = products[OUTER]
        for j in range(0, wide, HEIGHT):
            out = out_at + j * LANES
            _tile_add(
                scratch, hidden_at, pool, outer[WEIGHTS] + j * outer[INPUTS], scratch, out,
                scratch, out, outer[INPUTS],
            )  # fmt: skip
        scale_into(scratch, out_at, x_at, dim)
        second_norm(scratch, x_at, dim, norm[1], norm[2], np.float32(floor))
        if kan:
            _powers(scratch, x_at, dim)
        first = start + block * LANES
        count = min(LANES, len(canonical[0]) - first)
        ready = -1
        for row in range(len(targets)):
            target = targets[row]
            if target[DECODER] != ready:
                ready = target[DECODER]
                _decode(pool, products, DECODERS + 2 * ready, kan, scratch, x_at, hidden_at, out_at)
            _move(
                canonical[target[ATTRIBUTE]], first, count, scratch,
                out_at + target[FIRST] * LANES, target[WIDTH], strength, moved[target[ATTRIBUTE]],
            )  # fmt: skip


@compiled
def padded(count: int) -> int:
    """Outputs, padded to whole tiles."""
    return (count + HEIGHT - 1) // HEIGHT * HEIGHT


@compiled
def _widest_output(dim: int, products: Int64) -> int:
    widest = padded(dim)
    for row in range(len(products)):
        widest = max(widest, padded(products[row, OUTPUTS]))
    return widest


@compiled
def _widest(dim: int, products: Int64) -> int:
    """The most inputs (a KAN has three for one) or outputs of a product."""
    widest = _widest_output(dim, products)
    for row in range(len(products)):
        widest = max(widest, products[row, INPUTS])
    return widest


@compiled
def scratch_floats(dim: int, mixed: int, products: Int64) -> int:
    """The size of `scratch` in `deform_rows`: input, hidden, output, mix."""
    return (2 * _widest(dim, products) + _widest_output(dim, products) + padded(mixed)) * LANES


@compiled
def _mix(
    shares: Float32, block: int, agents: Float32, mixed: int, scratch: Float32, mix_at: int
) -> None:
    count = shares.shape[1]
    if len(agents) == 0:
        for k in range(count):
            for lane in range(LANES):
                scratch[mix_at + k * LANES + lane] = shares[block, k, lane]
        return
    zeros_at = len(agents) - HEIGHT
    for j in range(0, padded(mixed), HEIGHT):
        _tile(
            shares, block * count * LANES, agents, j * count, agents, zeros_at,
            scratch, mix_at + j * LANES, count,
        )  # fmt: skip


@compiled
def _decode(
    pool: Float32,
    products: Int64,
    row: int,
    kan: bool,
    scratch: Float32,
    x_at: int,
    hidden_at: int,
    out_at: int,
) -> None:
    _product(pool, products[row], scratch, x_at, hidden_at, not kan)
    if kan:
        _squashed_powers(scratch, hidden_at, products[row, OUTPUTS])
    _product(pool, products[row + 1], scratch, hidden_at, out_at, False)


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
def _move(
    canonical: Float32,
    first: int,
    count: int,
    scratch: Float32,
    at: int,
    width: int,
    strength: float,
    moved: Float32,
) -> None:
    """The first `width` values of each."""
    factor = np.float32(strength)
    for lane in range(count):
        i = first + lane
        for k in range(width):
            moved[i, k] = canonical[i, k] + factor * scratch[at + k * LANES + lane]
