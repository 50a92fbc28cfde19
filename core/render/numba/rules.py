"""The rules of blending, once for the picture (blend.py) and for its derivative (blend_back.py).

Both must agree on every pixel's alpha and on where the stop rule ends it, to the bit: else a
gradient belongs to another picture. A tile is STRIPS strips of WIDTH pixels side by side. Its state
is a flat float32 array of one group a strip, whose first WIDTH numbers are the transmittance; the
sign bit marks a pixel that the stop rule has ended, or that lies outside the picture.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from ...records.arrays import Float32, Float64
from ...system.numba_setup import inlined
from ...system.numba_vectors import (
    FLOATS,
    INT,
    WIDTH,
    at_least,
    constant,
    function,
    lanes,
    multiply_add,
    power_of_two,
)
from ..rasteriser import MAX_ALPHA, MIN_ALPHA, MIN_TRANSMITTANCE, TILE
from .project import REACH_X, REACH_Y, UX, UY, VY

ACROSS = TILE // WIDTH  # strips of a tile side by side
STRIPS = TILE * TILE // WIDTH
PATIENCE = 8  # Gaussians between two checks for strips that are still open
LOWEST = -8.0  # smaller exponents are invisible: 2^-8 < 1/255


class Layer(NamedTuple):
    """One Gaussian over the WIDTH pixels of a strip, as LLVM vectors. alpha: within its limits;
    free: where MAX_ALPHA does not cap it, so that it has a slope; through: 1 - alpha; drawn: where
    the stop rule draws it; weight: alpha times transmittance, 0 where it is not drawn."""

    alpha: Any
    free: Any
    through: Any
    drawn: Any
    weight: Any


def cells_of(b: Any, state: Any, strip: Any, count: int) -> list[Any]:
    """Pointers to the `count` vectors of a strip's group. state: a pointer; strip: an int64."""
    offset = b.mul(strip, ir.Constant(ir.IntType(64), count * WIDTH))
    group = b.bitcast(b.gep(state, [offset]), FLOATS.as_pointer())
    return [b.gep(group, [ir.Constant(INT, k)]) for k in range(count)]


def draw_layer(b: Any, u: Any, ux: Any, top: Any, transmittance: Any) -> Layer:
    """Alpha = 2^(top - (u - ux x)^2) for x = 0 .. WIDTH - 1, then its limits and the stop rule.
    u, ux, top: vectors of one number each. transmittance: a pointer to the strip's, which is
    updated."""
    u = multiply_add(b, b.fneg(ux), lanes(), u)
    alpha = power_of_two(b, at_least(b, multiply_add(b, b.fneg(u), u, top), LOWEST))
    most = constant(MAX_ALPHA)
    free = b.fcmp_ordered("<", alpha, most)
    alpha = b.select(free, alpha, most)
    alpha = b.select(b.fcmp_ordered(">=", alpha, constant(MIN_ALPHA)), alpha, constant(0))

    left = b.load(transmittance, align=4)
    through = b.fsub(constant(1), alpha)
    after = b.fmul(left, through)
    drawn = b.fcmp_ordered(">=", after, constant(MIN_TRANSMITTANCE))
    weight = b.select(drawn, b.fmul(alpha, left), constant(0))
    ended = b.fneg(b.call(function(b, "fabs", 1), [left]))
    b.store(b.select(drawn, after, ended), transmittance, align=4)
    return Layer(alpha, free, through, drawn, weight)


@inlined
def place_in_tile(
    centre: Float64, entry: Float32, x0: int, y0: int, tall: int, wide: int
) -> tuple[int, int, int, int, float, float, np.float32, np.float32]:
    """The part that one Gaussian can colour of the tile that begins at pixel x0, y0 and has `tall`
    times `wide` pixels. centre (2,) pixels; entry (COLUMNS,). Returns first and end of the rows of
    pixels, first and end of the strips across (ends of 0: no part), the centre counted from the
    tile's first pixel, and u, v (project.py) at that pixel."""
    mx = centre[0] - (x0 + 0.5)  # float64
    my = centre[1] - (y0 + 0.5)
    first_y = max(0.0, np.ceil(my - entry[REACH_Y]))
    last_y = min(tall - 1.0, np.floor(my + entry[REACH_Y]))
    first_x = max(0.0, np.ceil(mx - entry[REACH_X]))
    last_x = min(wide - 1.0, np.floor(mx + entry[REACH_X]))
    u = np.float32(entry[UX] * mx + entry[UY] * my)
    v = np.float32(entry[VY] * my)
    if first_y > last_y or first_x > last_x:
        return 0, 0, 0, 0, mx, my, u, v
    first, end = int(first_x) // WIDTH, int(last_x) // WIDTH + 1
    return int(first_y), int(last_y) + 1, first, end, mx, my, u, v


@inlined
def any_open(state: Float32, is_open: NDArray[np.bool_]) -> bool:
    """Mark the strips that have no open pixel left; False when the tile has none."""
    group = len(state) // STRIPS
    found = False
    for strip in range(STRIPS):
        most = np.float32(-1)
        for x in range(WIDTH):
            most = max(most, state[strip * group + x])
        is_open[strip] = most > 0
        found |= is_open[strip]
    return found
