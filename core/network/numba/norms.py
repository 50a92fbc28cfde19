"""Norms over the features of a block of Gaussians, in LLVM's vectors.

A block is `dim` rows of LANES floats at an offset into flat float32. Every lane sums the rows in
order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from ...system.numba_vectors import FLOATS, INT, WIDTH, constant, function, spread
from ..numpy.basics import LAYER_NORM_EPS
from .tiles import ACROSS, LANES

_FLOAT = ir.FloatType()
_START = ir.Constant(ir.IntType(64), 0)


class _Block:
    """Rows of vectors that begin at a place of an array."""

    def __init__(self, context: Any, b: Any, kind: Any, array: Any, at: Any) -> None:
        data = context.make_array(kind)(context, b, array).data
        self._b, self.start = b, b.gep(data, [at])

    def place(self, row: Any, across: int) -> Any:
        offset = self._b.mul(row, ir.Constant(row.type, LANES))
        at = self._b.gep(self._b.gep(self.start, [offset]), [ir.Constant(INT, across * WIDTH)])
        return self._b.bitcast(at, FLOATS.as_pointer())

    def load(self, row: Any, across: int) -> Any:
        return self._b.load(self.place(row, across), align=4)

    def store(self, value: Any, row: Any, across: int) -> None:
        self._b.store(value, self.place(row, across), align=4)

    def one(self, k: Any) -> Any:
        """Float k, in all lanes."""
        return spread(self._b, self._b.load(self._b.gep(self.start, [k])))


def _each_row(b: Any, dim: Any, body: Callable[[Any, int], None]) -> None:
    with cgutils.for_range(b, dim) as loop:
        for across in range(ACROSS):
            body(loop.index, across)


def _zeros(b: Any) -> list[Any]:
    return [cgutils.alloca_once_value(b, constant(0)) for _ in range(ACROSS)]


def _add(b: Any, total: Any, value: Any) -> None:
    b.store(b.fadd(b.load(total), value), total)


@intrinsic
def scale_into(typing_context: Any, scratch: Any, source: Any, target: Any, dim: Any) -> Any:
    """(scratch, source, target, dim): centred values over their deviation."""
    whole = types.int64
    signature = types.void(scratch, whole, whole, whole)

    def generate(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        scratch, source, target, dim = arguments
        kind = signature.args[0]
        x = _Block(context, b, kind, scratch, source)
        out = _Block(context, b, kind, scratch, target)
        totals = _zeros(b)

        def add(row: Any, across: int) -> None:
            value = x.load(row, across)
            _add(b, totals[across], b.fmul(value, value))

        _each_row(b, dim, add)
        count = spread(b, b.sitofp(dim, _FLOAT))
        scales = []
        for total in totals:
            variance = b.fadd(b.fdiv(b.load(total), count), constant(float(LAYER_NORM_EPS)))
            scales.append(b.fdiv(constant(1), b.call(function(b, "sqrt", 1), [variance])))
        _each_row(
            b, dim, lambda row, across: out.store(
                b.fmul(x.load(row, across), scales[across]), row, across
            )
        )  # fmt: skip
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def first_norm(
    typing_context: Any,
    scratch: Any,
    source: Any,
    target: Any,
    dim: Any,
    gamma: Any,
    pool: Any,
    bias: Any,
) -> Any:
    """(scratch, source, target, dim, gamma, pool, bias): gamma times the scaled input, centred
    again, plus the bias (at that place of the pool): what the hidden part is added to (beta and the
    centring of the weights are in the bias and the weights)."""
    whole = types.int64
    signature = types.void(scratch, whole, whole, whole, gamma, pool, whole)

    def generate(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        scratch, source, target, dim, gamma, pool, bias = arguments
        kinds = signature.args
        x = _Block(context, b, kinds[0], scratch, source)
        out = _Block(context, b, kinds[0], scratch, target)
        gammas = _Block(context, b, kinds[4], gamma, _START)
        biases = _Block(context, b, kinds[5], pool, bias)
        totals = _zeros(b)

        def scale(row: Any, across: int) -> None:
            value = b.fmul(x.load(row, across), gammas.one(row))
            out.store(value, row, across)
            _add(b, totals[across], value)

        _each_row(b, dim, scale)
        count = spread(b, b.sitofp(dim, _FLOAT))
        means = [b.fdiv(b.load(total), count) for total in totals]

        def shift(row: Any, across: int) -> None:
            by = b.fsub(biases.one(row), means[across])
            out.store(b.fadd(out.load(row, across), by), row, across)

        _each_row(b, dim, shift)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def second_norm(
    typing_context: Any, scratch: Any, at: Any, dim: Any, gamma: Any, beta: Any, floor: Any
) -> Any:
    """(scratch, at, dim, gamma, beta, floor): in place, not below the floor."""
    whole = types.int64
    signature = types.void(scratch, whole, whole, gamma, beta, types.float32)

    def generate(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        scratch, at, dim, gamma, beta, floor = arguments
        kinds = signature.args
        x = _Block(context, b, kinds[0], scratch, at)
        gammas = _Block(context, b, kinds[3], gamma, _START)
        betas = _Block(context, b, kinds[4], beta, _START)
        lowest = spread(b, floor)

        def shift(row: Any, across: int) -> None:
            value = b.fadd(b.fmul(x.load(row, across), gammas.one(row)), betas.one(row))
            above = b.select(b.fcmp_ordered(">", value, lowest), value, lowest)
            x.store(above, row, across)

        _each_row(b, dim, shift)
        return context.get_dummy_value()

    return signature, generate
