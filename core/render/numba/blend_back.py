"""The derivative of render/numba/blend.py: from a picture's gradient to sums over each Gaussian's
pixels.

Front to back, as the picture was drawn, with the same arithmetic, so that the stop rule ends the
same pixels. Let w_j = alpha_j T_j be the weight of Gaussian j in a pixel, c_j its colour, g the
pixel's gradient in colour, h that in alpha, T the final transmittance. Then

    dL/dalpha_i = T_i (c_i . g) - rest_i / (1 - alpha_i),
    rest_i = sum over j > i of w_j (c_j . g)  -  h T,

and rest starts as (final colour . g) - h T and loses w_i (c_i . g) at each step: nothing is stored
per pixel and Gaussian. The state of a tile is a flat float32 array of STRIPS groups: transmittance
(signed as in blend), rest, and the three of g, WIDTH each.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from ...records.arrays import Float32, Float64
from ...system.numba_setup import compiled
from ...system.numba_vectors import FLOATS, WIDTH, constant, lanes, multiply_add, spread
from ..rasteriser import TILE
from .project import BLUE, GREEN, LOG_OPACITY, RED, UX, UY, VY
from .rules import ACROSS, PATIENCE, STRIPS, any_open, cells_of, draw_layer, place_in_tile

CELLS = 5
GROUP = CELLS * WIDTH
# The sums over a Gaussian's pixels, with q = dL/d(ln alpha), d = centre - pixel, w = weight:
# q, q dx, q dy, q dx^2, q dx dy, q dy^2, and w g for red, green and blue.
SUMS = 9

_FLOAT = ir.FloatType()
_LONG = ir.IntType(64)


@intrinsic
def _back_strips(
    typing_context: Any,
    state: Any,
    is_open: Any,
    sums: Any,
    at: Any,
    first: Any,
    start: Any,
    end: Any,
    numbers: Any,
) -> Any:
    """One Gaussian over the strips first + ACROSS y for y = start .. end - 1, added to sums[at].
    numbers: u and v of the tile's first pixel, their steps a pixel ux, uy, vy, the step of u to the
    first strip, log2 of the opacity, red, green, blue, and the centre's dx, dy from the first pixel
    of the strips at y = 0."""
    signature = types.void(
        state, is_open, sums, types.int64, types.int64, types.int64, types.int64,
        types.UniTuple(types.float32, 12),
    )  # fmt: skip

    def generate(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        groups, opens, totals = (
            context.make_array(signature.args[k])(context, b, arguments[k]).data for k in range(3)
        )
        at, first, start, end = arguments[3:7]
        u0, v0, ux, uy, vy, aside, log_opacity, *colour, dx, dy0 = cgutils.unpack_tuple(
            b, arguments[7]
        )
        ux_lanes = spread(b, ux)
        colour = [spread(b, value) for value in colour]
        zero, one = constant(0), constant(1)
        # q, q dy, q dy^2, w g: sums over rows. A lane is a column, so dx comes in at the end.
        sums_of_rows = [cgutils.alloca_once_value(b, zero) for _ in range(6)]

        with cgutils.for_range_slice(b, start, end, _LONG(1), intp=_LONG) as (y, _):
            strip = b.add(first, b.mul(y, _LONG(ACROSS)))
            with cgutils.if_likely(b, cgutils.is_true(b, b.load(b.gep(opens, [strip])))):
                down = b.uitofp(y, _FLOAT)
                v = b.fsub(v0, b.fmul(vy, down))
                top = b.fsub(log_opacity, b.fmul(v, v))
                # The same roundings as forwards: u at the row, then the step to the strip.
                u = b.fsub(b.fsub(u0, b.fmul(uy, down)), aside)
                dy = spread(b, b.fsub(dy0, down))
                transmittance, rest_cell, *slope_cells = cells_of(b, groups, strip, CELLS)
                layer = draw_layer(b, spread(b, u), ux_lanes, spread(b, top), transmittance)

                slopes = [b.load(cell, align=4) for cell in slope_cells]
                shade = b.fmul(colour[0], slopes[0])
                shade = multiply_add(b, colour[1], slopes[1], shade)
                shade = multiply_add(b, colour[2], slopes[2], shade)
                gain = b.fmul(layer.weight, shade)
                rest = b.fsub(b.load(rest_cell, align=4), gain)
                b.store(rest, rest_cell, align=4)
                q = b.fsub(gain, b.fmul(rest, b.fdiv(layer.alpha, layer.through)))
                q = b.select(b.and_(layer.drawn, layer.free), q, zero)

                q_dy = b.fmul(q, dy)
                terms = [(q, one), (q, dy), (q_dy, dy)] + [(layer.weight, s) for s in slopes]
                for total, (x, y_) in zip(sums_of_rows, terms, strict=True):
                    old = b.load(total)
                    new = b.fadd(old, x) if y_ is one else multiply_add(b, x, y_, old)
                    b.store(new, total)

        q, q_dy, q_dy_dy, *painted = (b.load(total) for total in sums_of_rows)
        columns = b.fsub(spread(b, dx), lanes())
        q_dx = b.fmul(q, columns)
        results = [
            q, q_dx, q_dy, b.fmul(q_dx, columns), b.fmul(q_dy, columns), q_dy_dy, *painted
        ]  # fmt: skip
        kind = ir.FunctionType(_FLOAT, [_FLOAT, FLOATS])
        add_up = cgutils.get_or_insert_function(
            b.module, kind, f"llvm.vector.reduce.fadd.v{WIDTH}f32"
        )
        row = b.gep(totals, [b.mul(at, _LONG(SUMS))])
        for k, result in enumerate(results):
            cell = b.gep(row, [_LONG(k)])
            # In pairs, always the same ones: without the flag LLVM adds lane after lane.
            total = b.call(add_up, [_FLOAT(0), result], fastmath=("reassoc",))
            b.store(b.fadd(b.load(cell), total), cell)
        return context.get_dummy_value()

    return signature, generate


@compiled
def blend_row_back(
    row: int,
    starts: NDArray[np.int64],
    listed: NDArray[np.int32],
    centres: Float64,
    table: Float32,
    colour: Float32,
    left: Float32,
    colour_slope: Float32,
    alpha_slope: Float32,
    sums: Float32,
) -> None:
    """One row of tiles. starts .. left: what blend.blend_row took and filled. colour_slope
    (H, W, 3), alpha_slope (H, W): the loss's gradient. Adds to sums (N, SUMS)."""
    height, width = left.shape
    state = np.empty(STRIPS * GROUP, np.float32)
    is_open = np.empty(STRIPS, np.bool_)
    y0 = row * TILE
    tall = min(TILE, height - y0)
    for column in range(len(starts) - 1):
        if starts[column] == starts[column + 1]:
            continue
        x0 = column * TILE
        wide = min(TILE, width - x0)
        _fill(state, is_open, x0, y0, tall, wide, colour, left, colour_slope, alpha_slope)
        since = 0
        for at in range(starts[column], starts[column + 1]):
            i = listed[at]
            _back_tile(state, is_open, x0, y0, tall, wide, centres[i], table[i], sums, i)
            since += 1
            if since == PATIENCE:
                since = 0
                if not any_open(state, is_open):
                    break


@compiled
def _fill(
    state: Float32,
    is_open: NDArray[np.bool_],
    x0: int,
    y0: int,
    tall: int,
    wide: int,
    colour: Float32,
    left: Float32,
    colour_slope: Float32,
    alpha_slope: Float32,
) -> None:
    """The state of one tile before its first Gaussian."""
    state[:] = 0
    for strip in range(STRIPS):
        is_open[strip] = True
        state[strip * GROUP : strip * GROUP + WIDTH] = -1
    for y in range(tall):
        for x in range(wide):
            cell = (y * ACROSS + x // WIDTH) * GROUP + x % WIDTH
            state[cell] = 1
            rest = -alpha_slope[y0 + y, x0 + x] * left[y0 + y, x0 + x]
            for channel in range(3):
                slope = colour_slope[y0 + y, x0 + x, channel]
                rest += slope * colour[y0 + y, x0 + x, channel]
                state[cell + (channel + 2) * WIDTH] = slope
            state[cell + WIDTH] = rest


@compiled
def _back_tile(
    state: Float32,
    is_open: NDArray[np.bool_],
    x0: int,
    y0: int,
    tall: int,
    wide: int,
    centre: Float64,
    entry: Float32,
    sums: Float32,
    at: int,
) -> None:
    """One Gaussian over the strips of one tile that blend lets it colour."""
    first_y, end_y, first, end, mx, my, u_origin, v_origin = place_in_tile(
        centre, entry, x0, y0, tall, wide
    )
    ux, uy, vy = entry[UX], entry[UY], entry[VY]
    for half in range(first, end):
        aside = np.float32(half * WIDTH)
        numbers = (
            u_origin, v_origin, ux, uy, vy, ux * aside, entry[LOG_OPACITY],
            entry[RED], entry[GREEN], entry[BLUE], np.float32(mx) - aside, np.float32(my),
        )  # fmt: skip
        _back_strips(state, is_open, sums, at, half, first_y, end_y, numbers)
