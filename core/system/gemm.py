"""Matrix products for numpy with a BLAS and for numpy without one.

The numpy that Blender ships is built without a BLAS: there `matmul` falls back to a plain loop of 3
GFLOP/s a core, while `einsum`, which uses the processor's vectors, reaches 17 to 20 (with OpenBLAS
`matmul` makes 98). So: matmul with a BLAS, einsum and our own threads without one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from .machine import available_cores
from .threads import for_each

Float32 = NDArray[np.float32]
MAX_THREADS = 8  # beyond this, memory is the limit

Item = TypeVar("Item")


def numpy_has_blas() -> bool:
    """True if numpy was built with a BLAS library (OpenBLAS, Accelerate, MKL, ...)."""
    try:
        config: Any = np.show_config(mode="dicts")
    except TypeError:  # numpy built with distutils (Blender 4.5 and before) has no modes
        get_info = vars(np.__config__).get("get_info")
        return bool(get_info and get_info("blas_opt"))
    return bool(config["Build Dependencies"]["blas"].get("found", False))


def numpy_has_calm_blas() -> bool:
    """True if numpy has a BLAS that starts no threads of its own. On a busy processor those wait
    for each other at every product, and cost more than einsum on one thread."""
    return os.environ.get("OPENBLAS_NUM_THREADS") == "1" and numpy_has_blas()


class Gemm:
    """One way of multiplying. threads: our own; None for one per core, or a single one if the BLAS
    has its own (it has none if OPENBLAS_NUM_THREADS is 1, as the command line sets it)."""

    def __init__(self, blas: bool, threads: int | None = None) -> None:
        self.blas = blas
        if threads is None:
            own = not blas or os.environ.get("OPENBLAS_NUM_THREADS") == "1"
            threads = min(available_cores(), MAX_THREADS) if own else 1
        self.threads = threads

    def multiply(self, a: Float32, b: Float32, out: Float32 | None = None) -> Float32:
        """a (n, k) @ b (k, m) -> (n, m). Pass a narrow b as the transpose of a contiguous (m, k):
        einsum walks along the longer contiguous axis."""
        if self.blas:
            return np.matmul(a, b, out=out)
        return np.einsum("ij,jk->ik", a, b, out=out)

    def for_each(self, work: Callable[[Item], object], items: Sequence[Item]) -> None:
        """work(item) for every item, on our own threads. The items must write to different places;
        then the result does not depend on the threads."""
        for_each(work, items, self.threads)


def aligned(count: int) -> Float32:
    """float32 that begin at a multiple of 64 bytes, where wide vectors load fastest."""
    room = np.empty(count + 16, np.float32)
    first = -room.ctypes.data % 64 // 4
    return room[first : first + count]
