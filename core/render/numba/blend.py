"""The innermost loop: one Gaussian over eight or sixteen pixels at once, as one vector.

numba's own vectoriser gives up on this loop, so it is written in LLVM's vector instructions
(core/system/numba_vectors.py). The state of a tile is a flat float32
array of STRIPS groups, a group per WIDTH pixels side by side: transmittance, red, green, blue,
WIDTH each. A transmittance with the sign bit set marks a pixel that the stop rule has ended, or
that lies outside the picture.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from ...system.numba_setup import compiled
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
    spread,
)
from ..rasteriser import MAX_ALPHA, MIN_ALPHA, MIN_TRANSMITTANCE, TILE
from .project import BLUE, GREEN, LOG_OPACITY, REACH_X, REACH_Y, RED, UX, UY, VY

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

ACROSS = TILE // WIDTH  # strips of a tile side by side
GROUP = 4 * WIDTH
STRIPS = TILE * TILE // WIDTH
PATIENCE = 8  # Gaussians between two looks at which strips are still open
LOWEST = -8.0  # exponents below it are as invisible: 2^-8 < 1/255


def strength(b: Any, u: Any, ux: Any, top: Any) -> Any:
    """2^(top - (u - ux x)^2) for x = 0 .. WIDTH - 1: alpha before its limits."""
    u = multiply_add(b, b.fneg(ux), lanes(), u)
    return power_of_two(b, at_least(b, multiply_add(b, b.fneg(u), u, top), LOWEST))


@intrinsic
def _blend_strip(
    typing_context: Any,
    state: Any,
    strip: Any,
    u: Any,
    ux: Any,
    top: Any,
    red: Any,
    green: Any,
    blue: Any,
) -> Any:
    """Draw one Gaussian over the strip: alpha = 2^(top - (u - ux x)^2) for x = 0 .. WIDTH - 1."""
    signature = types.void(state, types.int64, *([types.float32] * 6))

    def generate(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, b, arguments[0])
        offset = b.mul(arguments[1], ir.Constant(ir.IntType(64), GROUP))
        group = b.bitcast(b.gep(array.data, [offset]), FLOATS.as_pointer())
        cells = [b.gep(group, [ir.Constant(INT, k)]) for k in range(4)]
        u, ux, top, *colour = (spread(b, argument) for argument in arguments[2:])
        zero = constant(0)

        alpha = strength(b, u, ux, top)
        most = constant(MAX_ALPHA)
        alpha = b.select(b.fcmp_ordered("<", alpha, most), alpha, most)
        alpha = b.select(b.fcmp_ordered(">=", alpha, constant(MIN_ALPHA)), alpha, zero)

        left = b.load(cells[0], align=4)
        after = b.fmul(left, b.fsub(constant(1), alpha))
        drawn = b.fcmp_ordered(">=", after, constant(MIN_TRANSMITTANCE))
        weight = b.select(drawn, b.fmul(alpha, left), zero)
        ended = b.fneg(b.call(function(b, "fabs", 1), [left]))
        b.store(b.select(drawn, after, ended), cells[0], align=4)
        for cell, value in zip(cells[1:], colour, strict=True):
            b.store(multiply_add(b, weight, value, b.load(cell, align=4)), cell, align=4)
        return context.get_dummy_value()

    return signature, generate


@compiled
def blend_row(
    row: int,
    starts: NDArray[np.int64],
    listed: NDArray[np.int32],
    centres: Float64,
    table: Float32,
    colour: Float32,
    left: Float32,
) -> None:
    """One row of tiles. starts, listed: as bin.py makes them. Fills colour (H, W, 3) and
    left (H, W), the transmittance."""
    height, width = left.shape
    state = np.empty(STRIPS * GROUP, np.float32)
    is_open = np.empty(STRIPS, np.bool_)
    y0 = row * TILE
    tall = min(TILE, height - y0)
    for column in range(len(starts) - 1):
        x0 = column * TILE
        wide = min(TILE, width - x0)
        for strip in range(STRIPS):
            is_open[strip] = True
            for x in range(WIDTH):
                inside = strip // ACROSS < tall and strip % ACROSS * WIDTH + x < wide
                state[strip * GROUP + x] = 1 if inside else -1
            state[strip * GROUP + WIDTH : (strip + 1) * GROUP] = 0
        since = 0
        for at in range(starts[column], starts[column + 1]):
            i = listed[at]
            _blend_tile(state, is_open, x0, y0, tall, wide, centres[i], table[i])
            since += 1
            if since == PATIENCE:
                since = 0
                if not look(state, is_open):
                    break
        for y in range(tall):
            for x in range(wide):
                cell = (y * ACROSS + x // WIDTH) * GROUP + x % WIDTH
                left[y0 + y, x0 + x] = abs(state[cell])
                for channel in range(3):
                    colour[y0 + y, x0 + x, channel] = state[cell + (channel + 1) * WIDTH]


@compiled
def _blend_tile(
    state: Float32,
    is_open: NDArray[np.bool_],
    x0: int,
    y0: int,
    tall: int,
    wide: int,
    centre: Float64,
    entry: Float32,
) -> None:
    """One Gaussian over the strips of one tile that it can colour."""
    mx = centre[0] - (x0 + 0.5)  # float64, counted from the tile's first pixel
    my = centre[1] - (y0 + 0.5)
    first_y = max(0.0, np.ceil(my - entry[REACH_Y]))
    last_y = min(tall - 1.0, np.floor(my + entry[REACH_Y]))
    first_x = max(0.0, np.ceil(mx - entry[REACH_X]))
    last_x = min(wide - 1.0, np.floor(mx + entry[REACH_X]))
    if first_y > last_y or first_x > last_x:
        return
    u_origin = np.float32(entry[UX] * mx + entry[UY] * my)
    v_origin = np.float32(entry[VY] * my)
    ux, uy, vy = entry[UX], entry[UY], entry[VY]
    half0, half1 = int(first_x) // WIDTH, int(last_x) // WIDTH + 1
    for y in range(int(first_y), int(last_y) + 1):
        down = np.float32(y)
        v = v_origin - vy * down
        top = entry[LOG_OPACITY] - v * v
        u = u_origin - uy * down
        for half in range(half0, half1):
            strip = y * ACROSS + half
            if is_open[strip]:
                at_strip = u - ux * np.float32(half * WIDTH)
                _blend_strip(state, strip, at_strip, ux, top, entry[RED], entry[GREEN], entry[BLUE])


@compiled
def look(state: Float32, is_open: NDArray[np.bool_]) -> bool:
    """Mark the strips that have no open pixel left; False when the tile has none."""
    any_open = False
    for strip in range(STRIPS):
        most = np.float32(-1)
        for x in range(WIDTH):
            most = max(most, state[strip * GROUP + x])
        is_open[strip] = most > 0
        any_open |= is_open[strip]
    return any_open
