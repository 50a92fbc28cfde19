"""LLVM vectors for the loops that numba's own vectoriser misses: WIDTH floats side by side (16 with
AVX-512, 8 with AVX, two NEON halves on ARM)."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils

from .numba_setup import WIDE

WIDTH = 16 if WIDE else 8

FLOATS = ir.VectorType(ir.FloatType(), WIDTH)
INTS = ir.VectorType(ir.IntType(32), WIDTH)
INT = ir.IntType(32)

LEAST = -120.0  # smaller exponents underflow: `power_of_two` does not check


def _exp2_polynomial() -> list[float]:
    """2^x on [-1, 0], degree 5, relative error under 2e-7: highest power first."""
    fit = np.polynomial.Chebyshev.interpolate(np.exp2, 5, domain=[-1, 0])
    return [float(c) for c in fit.convert(kind=np.polynomial.Polynomial).coef[::-1]]


def constant(value: float) -> ir.Constant:
    return ir.Constant(FLOATS, [float(np.float32(value))] * WIDTH)


def lanes() -> ir.Constant:
    """0, 1, .. WIDTH - 1."""
    return ir.Constant(FLOATS, [float(k) for k in range(WIDTH)])


def spread(b: Any, scalar: Any) -> Any:
    """One float in all lanes."""
    nothing = ir.Constant(FLOATS, ir.Undefined)
    first = b.insert_element(nothing, scalar, ir.Constant(INT, 0))
    return b.shuffle_vector(first, nothing, ir.Constant(INTS, [0] * WIDTH))


def function(b: Any, name: str, count: int) -> Any:
    """LLVM's intrinsic of `count` vectors."""
    kind = ir.FunctionType(FLOATS, [FLOATS] * count)
    return cgutils.get_or_insert_function(b.module, kind, f"llvm.{name}.v{WIDTH}f32")


def multiply_add(b: Any, x: Any, y: Any, z: Any) -> Any:
    return b.call(function(b, "fmuladd", 3), [x, y, z])


def at_least(b: Any, x: Any, least: float) -> Any:
    """The larger of x and `least`; `least` if x is NaN."""
    floor = constant(least)
    return b.select(b.fcmp_ordered(">", x, floor), x, floor)


def power_of_two(b: Any, exponent: Any) -> Any:
    """2^exponent for LEAST <= exponent <= 0, relative error under 3e-7."""
    whole = b.fptosi(exponent, INTS)
    fraction = b.fsub(exponent, b.sitofp(whole, FLOATS))
    highest, *lower = _exp2_polynomial()
    power = constant(highest)
    for coefficient in lower:
        power = multiply_add(b, power, fraction, constant(coefficient))
    # Adding to the exponent bits of a float multiplies it by a power of two.
    bits = b.add(b.bitcast(power, INTS), b.shl(whole, ir.Constant(INTS, [23] * WIDTH)))
    return b.bitcast(bits, FLOATS)
