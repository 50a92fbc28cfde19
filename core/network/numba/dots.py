"""The gradient of a product's weights: dot products of rows over the Gaussians of some blocks.

As tiles.py, it keeps its sums in the processor's vector registers; in the end the lanes of WIDTH
sums are added up at once, by halves.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from ...records.arrays import Float32
from ...system.numba_vectors import FLOATS, INT, INTS, WIDTH, constant, multiply_add
from .tiles import ACROSS, LANES

TALL = 4
BROAD = WIDTH // TALL


@intrinsic
def dots(
    typing_context: Any,
    values: Any,
    x: Any,
    x_step: Any,
    y: Any,
    y_step: Any,
    out: Any,
    blocks: Any,
) -> Any:
    """(values, x, x_step, y, y_step, out, blocks): add the dot products of TALL rows at x with
    BROAD rows at y to WIDTH floats at out. The rows are LANES floats in each block; blocks are
    x_step and y_step floats apart."""
    signature = types.void(values, *[types.int64] * 6)

    def generate(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        array, x, x_step, y, y_step, out, blocks = arguments
        data = context.make_array(signature.args[0])(context, b, array).data

        def load(start: Any, row: int, across: int) -> Any:
            place = b.gep(start, [ir.Constant(INT, row * LANES + across * WIDTH)])
            return b.load(b.bitcast(place, FLOATS.as_pointer()), align=4)

        cells = [(row, column) for row in range(TALL) for column in range(BROAD)]
        sums = {cell: cgutils.alloca_once_value(b, constant(0)) for cell in cells}
        with cgutils.for_range(b, blocks) as loop:
            x_start = b.gep(data, [b.add(x, b.mul(loop.index, x_step))])
            y_start = b.gep(data, [b.add(y, b.mul(loop.index, y_step))])
            for across in range(ACROSS):
                left = [load(x_start, row, across) for row in range(TALL)]
                for column in range(BROAD):
                    right = load(y_start, column, across)
                    for row in range(TALL):
                        total = sums[row, column]
                        b.store(multiply_add(b, left[row], right, b.load(total)), total)
        totals = _added_up(b, [b.load(sums[cell]) for cell in cells])
        place = b.bitcast(b.gep(data, [out]), FLOATS.as_pointer())
        b.store(b.fadd(b.load(place, align=4), totals), place, align=4)
        return context.get_dummy_value()

    return signature, generate


def _added_up(b: Any, vectors: list[Any]) -> Any:
    """WIDTH vectors -> their sums, in one vector."""
    even = ir.Constant(INTS, [2 * k for k in range(WIDTH)])
    odd = ir.Constant(INTS, [2 * k + 1 for k in range(WIDTH)])
    while len(vectors) > 1:
        pairs = zip(vectors[::2], vectors[1::2], strict=True)
        vectors = [
            b.fadd(b.shuffle_vector(one, two, even), b.shuffle_vector(one, two, odd))
            for one, two in pairs
        ]
    return vectors[0]


def unpacked(flat: Float32, inputs: int, outputs: int) -> Float32:
    """(inputs, outputs) of what `dots` filled: tile after tile along the outputs."""
    tiles = flat.reshape(inputs // TALL, outputs // BROAD, TALL, BROAD)
    return np.ascontiguousarray(tiles.swapaxes(1, 2).reshape(inputs, outputs))
