"""Whether torch can compute on its GPU, and what its errors mean."""

from __future__ import annotations

import warnings
from functools import cache

import torch


@cache
def unusable() -> str | None:
    """None where torch computes on its present NVIDIA GPU, else why not, in one line. It tries,
    since torch also sees a GPU that it has no code for (one too old or too new for this build)."""
    if torch.version.cuda is None:
        return "this torch is built without CUDA; install one with CUDA, or choose numba"
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found = torch.cuda.is_available()
    if not found:
        why = _line(told[0].message) if told else "is there one, with its driver?"
        return f"torch finds no NVIDIA GPU that it can use ({why}); choose numba"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what matters is whether it works
            _try()
    except RuntimeError as error:
        return f"torch does not work on this GPU ({_line(error)}); install another, or choose numba"
    return None


def _try() -> None:
    """One kernel of torch's own, a sort, and a product. Raises RuntimeError."""
    matrix = torch.arange(8, device="cuda").flip(0).sort().values.float().reshape(2, 4)
    squares = (matrix @ matrix.T).diagonal().tolist()
    if squares != [14.0, 126.0]:
        raise RuntimeError(f"a product came out as {squares}")


def out_of_memory(error: BaseException) -> bool:
    """torch has a class for its own allocations; of cuBLAS, of page-locked memory and of the
    processor only the text tells."""
    words = ("out of memory", "ALLOC_FAILED", "can't allocate memory")
    return isinstance(error, torch.OutOfMemoryError) or any(word in str(error) for word in words)


def _line(problem: object) -> str:
    text = str(problem).strip()
    return text.splitlines()[0][:160] if text else type(problem).__name__
