"""Steps over a block of Gaussians in flat float32, in LLVM's vectors, for training.

A block is LANES floats for each of its rows (features), one Gaussian per lane. A kernel of training
keeps weights, blocks and sums in one array, and a step takes places in it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from ...system.numba_vectors import FLOATS, INT, WIDTH, constant, spread
from .tiles import ACROSS, LANES

Step = Callable[..., None]  # of a kernel: (values, place, place, place, place, place, rows)


class Values:
    """The array of a step, while its code is generated."""

    def __init__(self, b: Any, data: Any) -> None:
        self.b, self._data = b, data

    def one(self, at: Any, k: Any) -> Any:
        """Float k after the place, in all lanes."""
        return spread(self.b, self.b.load(self.b.gep(self._data, [self.b.add(at, k)])))

    def load(self, at: Any, row: Any, across: int) -> Any:
        return self.b.load(self._place(at, row, LANES, across), align=4)

    def store(self, value: Any, at: Any, row: Any, across: int) -> None:
        self.b.store(value, self._place(at, row, LANES, across), align=4)

    def add(self, value: Any, at: Any, row: Any) -> None:
        """To the row of WIDTH sums, which the host adds up in the end."""
        place = self._place(at, row, WIDTH, 0)
        self.b.store(self.b.fadd(self.b.load(place, align=4), value), place, align=4)

    def each_row(self, rows: Any, body: Callable[[Any], None]) -> None:
        with cgutils.for_range(self.b, rows) as loop:
            body(loop.index)

    def totals(self, value: float = 0.0) -> list[Any]:
        """Variables, one for each vector of a row."""
        return [cgutils.alloca_once_value(self.b, constant(value)) for _ in range(ACROSS)]

    def count_in(self, total: Any, value: Any) -> None:
        self.b.store(self.b.fadd(self.b.load(total), value), total)

    def number(self, count: Any) -> Any:
        return spread(self.b, self.b.sitofp(count, ir.FloatType()))

    def _place(self, at: Any, row: Any, width: int, across: int) -> Any:
        offset = self.b.add(at, self.b.mul(row, ir.Constant(row.type, width)))
        place = self.b.gep(self._data, [offset])
        if across:
            place = self.b.gep(place, [ir.Constant(INT, across * WIDTH)])
        return self.b.bitcast(place, FLOATS.as_pointer())


def make_step(body: Callable[..., None]) -> Step:
    """body(values, place, place, place, place, place, rows) generates the code of the step."""

    @intrinsic
    def step(
        typing_context: Any, values: Any, p: Any, q: Any, r: Any, s: Any, t: Any, rows: Any
    ) -> Any:
        signature = types.void(values, *[types.int64] * 6)

        def generate(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
            array = context.make_array(signature.args[0])(context, b, arguments[0])
            body(Values(b, array.data), *arguments[1:])
            return context.get_dummy_value()

        return signature, generate

    return step


def _shift(v: Values, x: Any, out: Any, bias: Any, _s: Any, _t: Any, rows: Any) -> None:
    """out = x + bias"""

    def each(row: Any) -> None:
        by = v.one(bias, row)
        for across in range(ACROSS):
            v.store(v.b.fadd(v.load(x, row, across), by), out, row, across)

    v.each_row(rows, each)


def _mask(v: Values, y: Any, slopes: Any, _r: Any, _s: Any, _t: Any, rows: Any) -> None:
    """The slopes of a ReLU's input, in place of those of its output y."""
    zero = constant(0)

    def each(row: Any) -> None:
        for across in range(ACROSS):
            positive = v.b.fcmp_ordered(">", v.load(y, row, across), zero)
            slope = v.b.select(positive, v.load(slopes, row, across), zero)
            v.store(slope, slopes, row, across)

    v.each_row(rows, each)


def _sums(v: Values, x: Any, sums: Any, _r: Any, _s: Any, _t: Any, rows: Any) -> None:
    """Add the rows to rows of WIDTH sums."""

    def each(row: Any) -> None:
        total = v.load(x, row, 0)
        for across in range(1, ACROSS):
            total = v.b.fadd(total, v.load(x, row, across))
        v.add(total, sums, row)

    v.each_row(rows, each)


def _plus(v: Values, x: Any, out: Any, _r: Any, _s: Any, _t: Any, rows: Any) -> None:
    """out += x"""

    def each(row: Any) -> None:
        for across in range(ACROSS):
            total = v.b.fadd(v.load(out, row, across), v.load(x, row, across))
            v.store(total, out, row, across)

    v.each_row(rows, each)


shift = make_step(_shift)
mask = make_step(_mask)
sums = make_step(_sums)
plus = make_step(_plus)
