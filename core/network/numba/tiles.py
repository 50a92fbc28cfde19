"""The innermost loop of the fused network: a small matrix product kept in registers.

Values are stored feature by feature: LANES floats, one for each Gaussian of a block. A tile is
HEIGHT outputs of LANES Gaussians, summed over all inputs in the processor's vector registers; each
weight is read once and broadcast to a vector. numba's own vectoriser does not find this form, so it
is written in LLVM's vector instructions. The order of the sums is the same at every width.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from ...system.numba_setup import WIDE
from ...system.numba_vectors import FLOATS, INT, WIDTH, constant, multiply_add, spread

# By the registers: 32 of 16 floats with AVX-512, 16 of 8 with AVX2 (or the same in NEON halves).
ACROSS, HEIGHT = 3, 8 if WIDE else 4
LANES = WIDTH * ACROSS


def make_tile(add: bool, relu: bool) -> Callable[..., None]:
    """tile(x, x_at, weights, w_at, bias, bias_at, out, out_at, count): flat float32 arrays and
    offsets into them. out (HEIGHT, LANES) = x (count, LANES) times weights (count, HEIGHT), plus
    bias (HEIGHT,), or plus (HEIGHT, LANES) at the offset of bias if `add`; `relu`: not below 0."""

    @intrinsic
    def tile(
        typing_context: Any,
        x: Any,
        x_at: Any,
        weights: Any,
        w_at: Any,
        bias: Any,
        bias_at: Any,
        out: Any,
        out_at: Any,
        count: Any,
    ) -> Any:
        whole = types.int64
        signature = types.void(x, whole, weights, whole, bias, whole, out, whole, whole)

        def generate(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
            def start(array: int) -> Any:
                struct = context.make_array(signature.args[array])(context, b, arguments[array])
                return b.gep(struct.data, [arguments[array + 1]])

            def floats(pointer: Any, step: int) -> Any:
                at = b.gep(pointer, [ir.Constant(INT, step * WIDTH)])
                return b.bitcast(at, FLOATS.as_pointer())

            def one(pointer: Any, step: int) -> Any:
                return spread(b, b.load(b.gep(pointer, [ir.Constant(INT, step)])))

            x_start, w_start, bias_start, out_start = (start(array) for array in (0, 2, 4, 6))
            cells = [(row, across) for row in range(HEIGHT) for across in range(ACROSS)]
            sums = {cell: cgutils.alloca_once(b, FLOATS) for cell in cells}
            for row, across in cells:
                given = floats(bias_start, row * ACROSS + across)
                first = b.load(given, align=4) if add else one(bias_start, row)
                b.store(first, sums[row, across])
            with cgutils.for_range(b, arguments[8]) as loop:
                row_x = b.gep(x_start, [b.mul(loop.index, ir.Constant(loop.index.type, LANES))])
                row_w = b.gep(w_start, [b.mul(loop.index, ir.Constant(loop.index.type, HEIGHT))])
                inputs = [b.load(floats(row_x, across), align=4) for across in range(ACROSS)]
                for row in range(HEIGHT):
                    weight = one(row_w, row)
                    for across in range(ACROSS):
                        cell = sums[row, across]
                        b.store(multiply_add(b, weight, inputs[across], b.load(cell)), cell)
            zero = constant(0)
            for row, across in cells:
                total = b.load(sums[row, across])
                if relu:
                    total = b.select(b.fcmp_ordered(">", total, zero), total, zero)
                b.store(total, floats(out_start, row * ACROSS + across), align=4)
            return context.get_dummy_value()

        return signature, generate

    return tile
