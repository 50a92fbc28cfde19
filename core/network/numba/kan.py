"""The inputs of a folded KAN (folded.powers) for a block of Gaussians, in LLVM's vectors.

exp is applied only to numbers up to 0, so that nothing overflows: with e = exp(-|x|) the sigmoid is
1 / (1 + e) for x >= 0 and e / (1 + e) below; tanh is (1 - e^2) / (1 + e^2), with the sign of x.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from ...system.numba_vectors import FLOATS, LEAST, WIDTH, at_least, constant, function, power_of_two
from .tiles import LANES

_BITS = float(np.log2(np.e))


def decay(b: Any, x: Any, times: float) -> Any:
    """exp(-times |x|)"""
    size = b.call(function(b, "fabs", 1), [x])
    return power_of_two(b, at_least(b, b.fmul(size, constant(-times * _BITS)), LEAST))


def silu(b: Any, x: Any) -> Any:
    """x sigmoid(x), with an error below 3e-7 times the larger of 1 and its magnitude."""
    one, e = constant(1), decay(b, x, 1)
    positive = b.fcmp_ordered(">=", x, constant(0))
    return b.fdiv(b.fmul(x, b.select(positive, one, e)), b.fadd(one, e))


def tanh(b: Any, x: Any) -> Any:
    """With an error below 3e-7."""
    one, e = constant(1), decay(b, x, 2)
    size = b.fdiv(b.fsub(one, e), b.fadd(one, e))
    return b.call(function(b, "copysign", 2), [size, x])


def make_powers(squash: bool) -> Callable[..., None]:
    """powers(values, at, count): x (count, LANES) at that place of flat float32 becomes [x | x^2 |
    silu(x)] (3 count, LANES); where `squash`, of tanh(x)."""

    @intrinsic
    def powers(typing_context: Any, values: Any, at: Any, count: Any) -> Any:
        signature = types.void(values, types.int64, types.int64)

        def generate(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
            array = context.make_array(signature.args[0])(context, b, arguments[0])
            start = b.bitcast(b.gep(array.data, [arguments[1]]), FLOATS.as_pointer())
            long = arguments[2].type
            vectors = b.mul(arguments[2], ir.Constant(long, LANES // WIDTH))
            with cgutils.for_range(b, vectors) as loop:
                place = b.gep(start, [loop.index])
                x = b.load(place, align=4)
                if squash:
                    x = tanh(b, x)
                    b.store(x, place, align=4)
                for result in (b.fmul(x, x), silu(b, x)):
                    place = b.gep(place, [vectors])
                    b.store(result, place, align=4)
            return context.get_dummy_value()

        return signature, generate

    return powers
