"""Steps of training over a block of Gaussians, forwards and backwards: layer norm, the inputs of a
KAN, softmax. See block.py."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...system.numba_vectors import LEAST, WIDTH, at_least, constant, function, power_of_two
from ..numpy.basics import LAYER_NORM_EPS
from .block import Values, make_step
from .kan import decay
from .tiles import ACROSS

_BITS = float(np.log2(np.e))


def _norm(v: Values, x: Any, out: Any, gamma: Any, scale: Any, _t: Any, rows: Any) -> None:
    """x becomes (x - mean) * scale, with scale = 1 / deviation stored in a row of its own, and out
    becomes that times gamma plus beta, which stands after gamma."""
    b, count, beta = v.b, v.number(rows), v.b.add(gamma, rows)
    sums, squares = v.totals(), v.totals()

    def add(row: Any) -> None:
        for across in range(ACROSS):
            v.count_in(sums[across], v.load(x, row, across))

    v.each_row(rows, add)
    means = [b.fdiv(b.load(total), count) for total in sums]

    def centre(row: Any) -> None:
        for across in range(ACROSS):
            apart = b.fsub(v.load(x, row, across), means[across])
            v.store(apart, x, row, across)
            v.count_in(squares[across], b.fmul(apart, apart))

    v.each_row(rows, centre)
    scales = []
    for across, total in enumerate(squares):
        variance = b.fadd(b.fdiv(b.load(total), count), constant(float(LAYER_NORM_EPS)))
        scales.append(b.fdiv(constant(1), b.call(function(b, "sqrt", 1), [variance])))
        v.store(scales[across], scale, rows.type(0), across)

    def apply(row: Any) -> None:
        by, shift = v.one(gamma, row), v.one(beta, row)
        for across in range(ACROSS):
            normed = b.fmul(v.load(x, row, across), scales[across])
            v.store(normed, x, row, across)
            v.store(b.fadd(b.fmul(normed, by), shift), out, row, across)

    v.each_row(rows, apply)


def _norm_back(
    v: Values, normed: Any, slopes: Any, gamma: Any, scale: Any, sums: Any, rows: Any
) -> None:
    """The slopes of `norm`'s x in place of those of its out. Those of gamma, then of beta, are
    added to rows of WIDTH sums."""
    b, count, beta_sums = v.b, v.number(rows), v.b.add(sums, v.b.mul(rows, rows.type(WIDTH)))
    plain, along = v.totals(), v.totals()

    def add(row: Any) -> None:
        by = v.one(gamma, row)
        of_gamma, of_beta = constant(0), constant(0)
        for across in range(ACROSS):
            slope, value = v.load(slopes, row, across), v.load(normed, row, across)
            product = b.fmul(slope, value)
            of_gamma, of_beta = b.fadd(of_gamma, product), b.fadd(of_beta, slope)
            v.count_in(plain[across], b.fmul(slope, by))
            v.count_in(along[across], b.fmul(product, by))
        v.add(of_gamma, sums, row)
        v.add(of_beta, beta_sums, row)

    v.each_row(rows, add)
    plain_means = [b.fdiv(b.load(total), count) for total in plain]
    along_means = [b.fdiv(b.load(total), count) for total in along]
    scales = [v.load(scale, rows.type(0), across) for across in range(ACROSS)]

    def apply(row: Any) -> None:
        by = v.one(gamma, row)
        for across in range(ACROSS):
            slope = b.fsub(b.fmul(v.load(slopes, row, across), by), plain_means[across])
            bend = b.fmul(v.load(normed, row, across), along_means[across])
            v.store(b.fmul(scales[across], b.fsub(slope, bend)), slopes, row, across)

    v.each_row(rows, apply)


def _powers_back(squash: bool) -> Any:
    """Given [x | x^2 | silu(x)] of kan.make_powers, the slopes of x in the first third of theirs;
    where `squash`, those of what x is the tanh of."""

    def body(v: Values, x: Any, slopes: Any, _r: Any, _s: Any, _t: Any, rows: Any) -> None:
        b, one, zero = v.b, constant(1), constant(0)

        def each(row: Any) -> None:
            second = b.add(row, rows)
            third = b.add(second, rows)
            for across in range(ACROSS):
                value = v.load(x, row, across)
                e = decay(b, value, 1)
                above = b.select(b.fcmp_ordered(">=", value, zero), one, e)
                sigmoid = b.fdiv(above, b.fadd(one, e))
                rest = b.fmul(value, b.fsub(one, sigmoid))
                of_silu = b.fmul(sigmoid, b.fadd(one, rest))
                total = b.fmul(b.fadd(value, value), v.load(slopes, second, across))
                total = b.fadd(total, b.fmul(of_silu, v.load(slopes, third, across)))
                total = b.fadd(total, v.load(slopes, row, across))
                if squash:
                    total = b.fmul(total, b.fsub(one, b.fmul(value, value)))
                v.store(total, slopes, row, across)

        v.each_row(rows, each)

    return body


def _softmax(v: Values, x: Any, _q: Any, _r: Any, _s: Any, _t: Any, rows: Any) -> None:
    """Over the rows, in place."""
    b = v.b
    highest, totals = v.totals(-np.inf), v.totals()

    def look(row: Any) -> None:
        for across in range(ACROSS):
            value, most = v.load(x, row, across), b.load(highest[across])
            b.store(b.select(b.fcmp_ordered(">", value, most), value, most), highest[across])

    v.each_row(rows, look)
    tops = [b.load(value) for value in highest]

    def raise_e(row: Any) -> None:
        for across in range(ACROSS):
            below = b.fmul(b.fsub(v.load(x, row, across), tops[across]), constant(_BITS))
            power = power_of_two(b, at_least(b, below, LEAST))
            v.store(power, x, row, across)
            v.count_in(totals[across], power)

    v.each_row(rows, raise_e)
    shares = [b.fdiv(constant(1), b.load(total)) for total in totals]

    def share(row: Any) -> None:
        for across in range(ACROSS):
            v.store(b.fmul(v.load(x, row, across), shares[across]), x, row, across)

    v.each_row(rows, share)


def _softmax_back(
    v: Values, shares: Any, slopes: Any, _r: Any, _s: Any, _t: Any, rows: Any
) -> None:
    """The slopes of the input in place of those of the shares."""
    b, totals = v.b, v.totals()

    def add(row: Any) -> None:
        for across in range(ACROSS):
            product = b.fmul(v.load(shares, row, across), v.load(slopes, row, across))
            v.count_in(totals[across], product)

    v.each_row(rows, add)
    means = [b.load(total) for total in totals]

    def apply(row: Any) -> None:
        for across in range(ACROSS):
            apart = b.fsub(v.load(slopes, row, across), means[across])
            v.store(b.fmul(v.load(shares, row, across), apart), slopes, row, across)

    v.each_row(rows, apply)


norm = make_step(_norm)
norm_back = make_step(_norm_back)
powers_back = make_step(_powers_back(squash=False))
squashed_powers_back = make_step(_powers_back(squash=True))
softmax = make_step(_softmax)
softmax_back = make_step(_softmax_back)
