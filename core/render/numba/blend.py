"""The innermost loop: one Gaussian over eight or sixteen pixels at once, as one vector.

numba's own vectoriser gives up on this loop, so it is written in LLVM's vector instructions
(core/system/numba_vectors.py). A strip's group of the state (rules.py) is transmittance, red,
green, blue, WIDTH each; where depth is wanted it follows as a fourth colour. numba compiles the two
cases separately, so that pictures without depth cost what they did.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from ...records.arrays import Float32, Float64
from ...system.numba_setup import compiled
from ...system.numba_vectors import WIDTH, multiply_add, spread
from ..rasteriser import TILE
from .project import BLUE, GREEN, LOG_OPACITY, RED, UX, UY, VY
from .rules import ACROSS, PATIENCE, STRIPS, any_open, cells_of, draw_layer, place_in_tile

CELLS = 4
GROUP = CELLS * WIDTH
DEEP_GROUP = GROUP + WIDTH


@intrinsic
def _blend_strip(
    typing_context: Any,
    state: Any,
    strip: Any,
    u: Any,
    ux: Any,
    top: Any,
    colour: Any,
) -> Any:
    """Draw one Gaussian over the strip; u, ux, top as `draw_layer` takes them. colour: a tuple of
    as many floats as the group has cells after the transmittance."""
    signature = types.void(state, types.int64, *([types.float32] * 3), colour)

    def generate(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, b, arguments[0])
        u, ux, top, *colour = (
            spread(b, value) for value in (*arguments[2:5], *cgutils.unpack_tuple(b, arguments[5]))
        )
        transmittance, *painted = cells_of(b, array.data, arguments[1], 1 + len(colour))
        layer = draw_layer(b, u, ux, top, transmittance)
        for cell, value in zip(painted, colour, strict=True):
            b.store(multiply_add(b, layer.weight, value, b.load(cell, align=4)), cell, align=4)
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
    depths: Float32 | None,
    summed: Float32 | None,
) -> None:
    """One row of tiles. starts, listed: as bin.py makes them. Fills colour (H, W, 3) and
    left (H, W), the transmittance; and from depths (N,) summed (H, W), each times its weight in
    the pixel, unless both are None."""
    height, width = left.shape
    group = GROUP if summed is None else DEEP_GROUP
    state = np.empty(STRIPS * group, np.float32)
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
                state[strip * group + x] = 1 if inside else -1
            state[strip * group + WIDTH : (strip + 1) * group] = 0
        since = 0
        for at in range(starts[column], starts[column + 1]):
            i = listed[at]
            _blend_tile(state, is_open, x0, y0, tall, wide, centres[i], table[i], depths, i)
            since += 1
            if since == PATIENCE:
                since = 0
                if not any_open(state, is_open):
                    break
        for y in range(tall):
            for x in range(wide):
                cell = (y * ACROSS + x // WIDTH) * group + x % WIDTH
                left[y0 + y, x0 + x] = abs(state[cell])
                for channel in range(3):
                    colour[y0 + y, x0 + x, channel] = state[cell + (channel + 1) * WIDTH]
                if summed is not None:
                    summed[y0 + y, x0 + x] = state[cell + GROUP]


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
    depths: Float32 | None,
    at: int,
) -> None:
    """One Gaussian over the strips of one tile that it can colour. depths (N,): its own is at `at`;
    None if the state has no cells for it."""
    first_y, end_y, first, end, _, _, u_origin, v_origin = place_in_tile(
        centre, entry, x0, y0, tall, wide
    )
    ux, uy, vy = entry[UX], entry[UY], entry[VY]
    for y in range(first_y, end_y):
        down = np.float32(y)
        v = v_origin - vy * down
        top = entry[LOG_OPACITY] - v * v
        u = u_origin - uy * down
        for half in range(first, end):
            strip = y * ACROSS + half
            if is_open[strip]:
                at_strip = u - ux * np.float32(half * WIDTH)
                if depths is None:
                    painted = (entry[RED], entry[GREEN], entry[BLUE])
                    _blend_strip(state, strip, at_strip, ux, top, painted)
                else:
                    deep = (entry[RED], entry[GREEN], entry[BLUE], depths[at])
                    _blend_strip(state, strip, at_strip, ux, top, deep)
