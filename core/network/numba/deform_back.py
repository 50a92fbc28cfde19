"""The moving part of a "paper" network in training, a part of the Gaussians at a time: from their
shares of the agents to their offsets, and all gradients.

    attended = (shares @ agent_mix) @ keys          of each frame
    offsets  = KAN(tanh(KAN(norm2(y + ffn(y)))))    with y = norm1(attended + x)

Backwards first computes forwards again: that takes less time than to store and to read what lies
between. Names as in torch/layers.py.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...records.arrays import Float32
from ...system.numba_setup import compiled
from .block import mask, plus, shift
from .block_back import norm, norm_back, powers_back, squashed_powers_back
from .kan import make_powers
from .products import (
    BLOCKS,
    Product,
    Region,
    back,
    back_add,
    count_bias,
    count_in,
    load,
    multiply,
    multiply_add,
    place,
    store,
)
from .tiles import LANES

_powers = make_powers(squash=False)
_squashed_powers = make_powers(squash=True)


class Norm(NamedTuple):
    """Places of gamma, with beta after it, and of their (dim, WIDTH) sums of slopes."""

    gamma: int
    slopes: int


class Regions(NamedTuple):
    """Of a superblock. normed1, y, hidden, normed2, powers (of the decoder's input), squashed
    (powers of its hidden part), out: values; the others are their slopes, by name."""

    x: Region
    shares: Region
    mixed: Region
    normed1: Region
    y: Region
    hidden: Region
    normed2: Region
    powers: Region
    squashed: Region
    out: Region
    scale1: Region
    scale2: Region
    x_slopes: Region
    share_slopes: Region
    mixed_slopes: Region
    y_slopes: Region
    hidden_slopes: Region
    power_slopes: Region
    squashed_slopes: Region
    out_slopes: Region


class Plan(NamedTuple):
    """Where everything is in the array of a part. mix and keys are of the first frame; those of the
    next stand so many floats later. zeros: HEIGHT of them."""

    mix: Product
    keys: Product
    inner: Product
    outer: Product
    first: Product
    second: Product
    norm1: Norm
    norm2: Norm
    regions: Regions
    frame_weights: int
    frame_slopes: int
    zeros: int


@compiled
def forwards(
    values: Float32, plan: Plan, x: Float32, shares: Float32, start: int, stop: int, out: Float32
) -> None:
    """x (N, 64), shares (N, A) -> out (B, N, 14), the rows from start to stop."""
    r = plan.regions
    for first in range(start, stop, LANES):
        load(x, first, 0.0, values, r.x.at, r.x.rows)
        load(shares, first, 0.0, values, r.shares.at, r.shares.rows)
        for frame in range(len(out)):
            _there(values, plan, frame, 0)
            store(values, r.out.at, out[frame], first)


@compiled
def backwards(
    values: Float32,
    plan: Plan,
    x: Float32,
    shares: Float32,
    slopes: Float32,
    start: int,
    stop: int,
    x_slopes: Float32,
    share_slopes: Float32,
) -> None:
    """slopes (B, N, 14) of the offsets -> x_slopes (N, 64), share_slopes (N, A), rows from start to
    stop, and the slopes of all weights, added to those in `values`."""
    r = plan.regions
    for begin in range(start, stop, BLOCKS * LANES):
        blocks = min(BLOCKS, (stop - begin + LANES - 1) // LANES)
        for block in range(blocks):
            first = begin + block * LANES
            load(x, first, 0.0, values, place(r.x, block), r.x.rows)
            load(shares, first, 0.0, values, place(r.shares, block), r.shares.rows)
            _clear(values, r.x_slopes, block)
            _clear(values, r.share_slopes, block)
        for frame in range(len(slopes)):
            for block in range(blocks):
                _there(values, plan, frame, block)
                to = place(r.out_slopes, block)
                load(slopes[frame], begin + block * LANES, 0.0, values, to, r.out_slopes.rows)
                _back(values, plan, frame, block)
            _count(values, plan, frame, blocks)
        for block in range(blocks):
            first = begin + block * LANES
            store(values, place(r.x_slopes, block), x_slopes, first)
            store(values, place(r.share_slopes, block), share_slopes, first)


@compiled
def _clear(values: Float32, region: Region, block: int) -> None:
    at = place(region, block)
    values[at : at + region.rows * LANES] = np.float32(0)


@compiled
def _of_frame(plan: Plan, product: Product, frame: int) -> Product:
    more = frame * plan.frame_weights
    return Product(
        product.inputs,
        product.outputs,
        product.forth + more,
        product.back + more,
        product.bias,
        product.slopes + frame * plan.frame_slopes,
        product.bias_slopes,
    )


@compiled
def _there(values: Float32, plan: Plan, frame: int, block: int) -> None:
    r = plan.regions
    mixed, normed1, y = place(r.mixed, block), place(r.normed1, block), place(r.y, block)
    hidden, normed2 = place(r.hidden, block), place(r.normed2, block)
    powers, squashed = place(r.powers, block), place(r.squashed, block)
    dim = r.x.rows
    multiply(values, _of_frame(plan, plan.mix, frame), place(r.shares, block), mixed, False)
    keys = _of_frame(plan, plan.keys, frame)
    multiply_add(values, keys, mixed, place(r.x, block), normed1)
    norm(values, normed1, y, plan.norm1.gamma, place(r.scale1, block), 0, dim)
    multiply(values, plan.inner, y, hidden, True)
    shift(values, y, normed2, plan.outer.bias, 0, 0, dim)
    multiply_add(values, plan.outer, hidden, normed2, normed2)
    norm(values, normed2, powers, plan.norm2.gamma, place(r.scale2, block), 0, dim)
    _powers(values, powers, dim)
    multiply(values, plan.first, powers, squashed, False)
    _squashed_powers(values, squashed, plan.first.outputs)
    multiply(values, plan.second, squashed, place(r.out, block), False)


@compiled
def _back(values: Float32, plan: Plan, frame: int, block: int) -> None:
    r, zeros = plan.regions, plan.zeros
    squashed_slopes, power_slopes = place(r.squashed_slopes, block), place(r.power_slopes, block)
    hidden_slopes, y_slopes = place(r.hidden_slopes, block), place(r.y_slopes, block)
    mixed_slopes = place(r.mixed_slopes, block)
    dim = r.x.rows
    back(values, plan.second, place(r.out_slopes, block), zeros, squashed_slopes)
    count = plan.first.outputs
    squashed_powers_back(values, place(r.squashed, block), squashed_slopes, 0, 0, 0, count)
    back(values, plan.first, squashed_slopes, zeros, power_slopes)
    powers_back(values, place(r.powers, block), power_slopes, 0, 0, 0, dim)
    norm_back(
        values, place(r.normed2, block), power_slopes, plan.norm2.gamma, place(r.scale2, block),
        plan.norm2.slopes, dim,
    )  # fmt: skip
    back(values, plan.outer, power_slopes, zeros, hidden_slopes)
    mask(values, place(r.hidden, block), hidden_slopes, 0, 0, 0, plan.inner.outputs)
    back(values, plan.inner, hidden_slopes, zeros, y_slopes)
    plus(values, power_slopes, y_slopes, 0, 0, 0, dim)
    norm_back(
        values, place(r.normed1, block), y_slopes, plan.norm1.gamma, place(r.scale1, block),
        plan.norm1.slopes, dim,
    )  # fmt: skip
    plus(values, y_slopes, place(r.x_slopes, block), 0, 0, 0, dim)
    back(values, _of_frame(plan, plan.keys, frame), y_slopes, zeros, mixed_slopes)
    mix = _of_frame(plan, plan.mix, frame)
    back_add(values, mix, mixed_slopes, place(r.share_slopes, block))


@compiled
def _count(values: Float32, plan: Plan, frame: int, blocks: int) -> None:
    """The gradients of the weights, of a frame of a superblock."""
    r = plan.regions
    count_in(values, plan.second, r.squashed, r.out_slopes, blocks)
    count_bias(values, plan.second, r.out_slopes, blocks)
    count_in(values, plan.first, r.powers, r.squashed_slopes, blocks)
    count_bias(values, plan.first, r.squashed_slopes, blocks)
    count_in(values, plan.outer, r.hidden, r.power_slopes, blocks)
    count_bias(values, plan.outer, r.power_slopes, blocks)
    count_in(values, plan.inner, r.y, r.hidden_slopes, blocks)
    count_bias(values, plan.inner, r.hidden_slopes, blocks)
    count_in(values, _of_frame(plan, plan.keys, frame), r.mixed, r.y_slopes, blocks)
    count_in(values, _of_frame(plan, plan.mix, frame), r.shares, r.mixed_slopes, blocks)
