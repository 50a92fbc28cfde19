"""The kernels of deform_back.py and rows_back.py for numpy arrays: where everything stands in the
array of a part, threads over parts, sums of gradients.

A part is a fixed number of Gaussians, and the parts' gradients are summed in their order, so that
no bit depends on the number of threads.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ...records.arrays import Float32
from ...system.gemm import aligned
from ...system.machine import available_cores
from ...system.numba_vectors import WIDTH
from ...system.threads import for_each
from .dots import unpacked
from .pack import pack
from .products import BLOCKS, Product, Region
from .tiles import HEIGHT, LANES

PART = 8 * BLOCKS * LANES  # Gaussians


class Packed(NamedTuple):
    """A product before its slopes have a place."""

    inputs: int
    outputs: int
    forth: int
    back: int
    bias: int


class Layout:
    """Gives places in the array of a part: first all weights, then all slopes, then regions."""

    def __init__(self) -> None:
        self.weights: list[Float32] = []
        self.size = 0
        self.slopes = 0  # where they begin
        self.regions = 0
        self.zeros = self.put(np.zeros(HEIGHT, np.float32))

    def put(self, flat: Float32) -> int:
        self.weights.append(flat)
        self.size += len(flat)
        self.slopes = self.size
        return self.size - len(flat)

    def packed(self, matrix: Float32, bias: Float32 | None = None) -> Packed:
        """matrix (inputs, outputs), bias (outputs,)"""
        inputs, outputs = (whole(side) for side in matrix.shape)
        full = np.zeros((inputs, outputs), np.float32)
        full[: matrix.shape[0], : matrix.shape[1]] = matrix
        forth, back = self.put(pack(full)), self.put(pack(full.T))
        if bias is None:
            return Packed(inputs, outputs, forth, back, self.put(np.zeros(outputs, np.float32)))
        more = np.zeros(outputs - len(bias), np.float32)
        return Packed(inputs, outputs, forth, back, self.put(np.concatenate([bias, more])))

    def product(self, packed: Packed) -> Product:
        of_weights = self.sums(packed.inputs * packed.outputs)
        return Product(*packed, of_weights, self.sums(packed.outputs * WIDTH))

    def sums(self, count: int) -> int:
        self.size += count
        self.regions = self.size
        return self.size - count

    def region(self, rows: int) -> Region:
        # Aligned for vectors, and apart by no multiple of 4 KiB: a store would hold up loads of
        # the same lowest address bits.
        begin = -(-self.size // 16) * 16
        self.size = begin + rows * LANES * BLOCKS + 80
        return Region(begin, rows)


def whole(count: int) -> int:
    """Rows, padded to whole tiles."""
    return -(-count // HEIGHT) * HEIGHT


class _Scratch(threading.local):
    values: Float32 | None = None


_scratch = _Scratch()


def run(layout: Layout, count: int, work: Callable[[Float32, int, int], None]) -> Float32:
    """work(values, start, stop) for every part of so many Gaussians -> the sum of their slopes, at
    the places in `values`."""
    weights = np.concatenate(layout.weights)
    starts = range(0, count, PART)
    found = np.empty((len(starts), layout.regions - layout.slopes), np.float32)

    def one(part: int) -> None:
        values = _own_scratch(layout.size)
        values[: layout.slopes] = weights
        values[layout.slopes : layout.regions] = 0
        work(values, starts[part], min(starts[part] + PART, count))
        found[part] = values[layout.slopes : layout.regions]

    for_each(one, range(len(starts)), available_cores())
    out = np.empty(layout.regions, np.float32)
    out[layout.slopes :] = found.sum(axis=0)
    return out


def _own_scratch(size: int) -> Float32:
    """This thread's array: a new one would cost page faults at every call."""
    if _scratch.values is None or len(_scratch.values) < size:
        _scratch.values = aligned(size)
    return _scratch.values[:size]


def weight_slopes(slopes: Float32, product: Product, inputs: int, outputs: int) -> Float32:
    """(inputs, outputs) without the padding."""
    flat = slopes[product.slopes : product.slopes + product.inputs * product.outputs]
    return unpacked(flat, product.inputs, product.outputs)[:inputs, :outputs]


def lane_sums(slopes: Float32, at: int, count: int) -> Float32:
    """(count,) of `count` rows of WIDTH sums."""
    total: Float32 = slopes[at : at + count * WIDTH].reshape(count, WIDTH).sum(axis=1)
    return total
