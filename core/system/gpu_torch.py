"""Tests torch on its GPU, and recognises its out-of-memory errors."""

from __future__ import annotations

import warnings
from functools import cache

import torch

from .memory import ran_out


@cache
def unusable() -> str | None:
    """None if torch can compute on its current NVIDIA GPU, else the reason in one line. It runs a
    small computation, since torch also lists GPUs that it has no code for (too old or too new)."""
    if torch.version.cuda is None:
        return "this torch is built without CUDA; install one with CUDA, or choose numba"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = torch.cuda.is_available()
    if not found:
        why = _line(caught[0].message) if caught else "is there one, with its driver?"
        return f"torch finds no NVIDIA GPU that it can use ({why}); choose numba"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what matters is whether it works
            _try()
    except RuntimeError as error:
        return f"torch does not work on this GPU ({_line(error)}); install another, or choose numba"
    return None


def _try() -> None:
    """Run one of torch's own kernels, a sort, and a matrix product. Raises RuntimeError."""
    matrix = torch.arange(8, device="cuda").flip(0).sort().values.float().reshape(2, 4)
    squares = (matrix @ matrix.T).diagonal().tolist()
    if squares != [14.0, 126.0]:
        raise RuntimeError(f"a product came out as {squares}")


def out_of_memory(error: BaseException) -> bool:
    """True for an out-of-memory error. torch has a class for its own allocations; cuBLAS,
    page-locked memory and the CPU raise a RuntimeError that only its text identifies."""
    return isinstance(error, torch.OutOfMemoryError) or ran_out(error)


def _line(problem: object) -> str:
    text = str(problem).strip()
    return text.splitlines()[0][:160] if text else type(problem).__name__
