"""Layers of the Gaussians alone in training, a part of them at a time, with all gradients: a KAN
(the encoder, the static decoder) and the shares of ESAA's agents. See deform_back.py."""

from __future__ import annotations

from typing import NamedTuple

from ...records.arrays import Float32
from ...system.numba_setup import compiled
from .block_back import powers_back, softmax, softmax_back
from .kan import make_powers
from .products import (
    BLOCKS,
    Product,
    Region,
    back,
    count_bias,
    count_in,
    load,
    multiply,
    place,
    store,
)
from .tiles import LANES

_powers = make_powers(squash=False)


class Plan(NamedTuple):
    """Of one product, softmax(x times weights) or, where `kan`, powers of x times weights.
    centre: taken from x. x, out, x_slopes, out_slopes: regions. zeros: HEIGHT of them."""

    product: Product
    kan: bool
    centre: float
    width: int
    x: Region
    out: Region
    x_slopes: Region
    out_slopes: Region
    zeros: int


@compiled
def forwards(values: Float32, plan: Plan, x: Float32, start: int, stop: int, out: Float32) -> None:
    """x (N, I) -> out (N, O), the rows from start to stop."""
    for first in range(start, stop, LANES):
        load(x, first, plan.centre, values, plan.x.at, plan.width)
        _there(values, plan, 0)
        store(values, plan.out.at, out, first)


@compiled
def backwards(
    values: Float32,
    plan: Plan,
    x: Float32,
    slopes: Float32,
    start: int,
    stop: int,
    x_slopes: Float32,
) -> None:
    """slopes (N, O) -> x_slopes (N, I), rows from start to stop, and the slopes of the weights,
    added to those in `values`."""
    product = plan.product
    for begin in range(start, stop, BLOCKS * LANES):
        blocks = min(BLOCKS, (stop - begin + LANES - 1) // LANES)
        for block in range(blocks):
            first = begin + block * LANES
            to, of_out = place(plan.x_slopes, block), place(plan.out_slopes, block)
            load(x, first, plan.centre, values, place(plan.x, block), plan.width)
            load(slopes, first, 0.0, values, of_out, product.outputs)
            if plan.kan:
                _powers(values, place(plan.x, block), plan.width)
            else:
                _there(values, plan, block)
                softmax_back(values, place(plan.out, block), of_out, 0, 0, 0, product.outputs)
            back(values, product, of_out, plan.zeros, to)
            if plan.kan:
                powers_back(values, place(plan.x, block), to, 0, 0, 0, plan.width)
            store(values, to, x_slopes, first)
        count_in(values, product, plan.x, plan.out_slopes, blocks)
        if plan.kan:
            count_bias(values, product, plan.out_slopes, blocks)


@compiled
def _there(values: Float32, plan: Plan, block: int) -> None:
    x, out = place(plan.x, block), place(plan.out, block)
    if plan.kan:
        _powers(values, x, plan.width)
    multiply(values, plan.product, x, out, False)
    if not plan.kan:
        softmax(values, out, 0, 0, 0, 0, plan.product.outputs)
