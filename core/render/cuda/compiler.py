"""The only file that uses torch's access to NVRTC, which is not part of its public interface.

`torch.cuda._compile_kernel` came with torch 2.9 (docs/method.md §8.2). A torch that lacks it, or
has another one, is reported here in one line and nowhere else.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

from ...errors import MissingPackageError
from ...system.gpu_torch import unusable
from .source import KERNELS, source

Launch = Callable[..., None]
"""(grid=(x, y, z), block=(x, y, z), args=[tensors and whole numbers]), on torch's current stream.
It checks neither the number of arguments nor their types."""

_compiling = threading.Lock()
_compiled: dict[int, Mapping[str, Launch]] = {}

HINT = "choose gsplat or numba, or install the torch of pyproject.toml"


def available() -> str | None:
    """None if the kernels can be compiled, else the reason in one line. Compiles nothing."""
    if (reason := unusable()) is not None:
        return reason
    try:
        _compiler()
    except MissingPackageError as error:
        return str(error)
    return None


def kernels(device: int) -> Mapping[str, Launch]:
    """Name -> kernel for that GPU; compiled at the first call of a process, in about a second, on
    any thread. Raises MissingPackageError."""
    with _compiling:
        if device not in _compiled:
            _compiled[device] = _compile(device)
        return _compiled[device]


def _compile(device: int) -> dict[str, Launch]:
    compiler = _compiler()
    try:
        with torch.cuda.device(device), _without_toolkit():
            # The driver loads kernels into this thread's context, which exists only after torch's
            # first work in the thread: choosing a device, 0 by default, does not create it.
            torch.zeros(1, device=f"cuda:{device}")
            return {name: compiler(source(), name) for name in KERNELS}
    except (OSError, RuntimeError, AttributeError, TypeError, ImportError) as error:
        lines = str(error).splitlines() or [type(error).__name__]
        raise MissingPackageError(f"NVRTC did not compile ({lines[0]}); {HINT}") from error


def _compiler() -> Callable[[str, str], Launch]:
    found: Any = getattr(torch.cuda, "compile_kernel", None)  # in case it becomes public
    found = found or getattr(torch.cuda, "_compile_kernel", None)
    if found is None:
        raise MissingPackageError(f"torch {torch.__version__} has no NVRTC compiler; {HINT}")
    given = list(inspect.signature(found).parameters)[:2]
    if given != ["kernel_source", "kernel_name"]:
        raise MissingPackageError(
            f"torch {torch.__version__} compiles kernels from {given}, which is new; {HINT}"
        )
    compile_one: Callable[[str, str], Launch] = found
    return compile_one


@contextmanager
def _without_toolkit() -> Iterator[None]:
    """torch asks for the toolkit's header folder, and raises OSError if there is none. The kernels
    include nothing, so any folder name will do."""
    from torch.utils import cpp_extension  # needs setuptools, which torch requires

    kept = cpp_extension.CUDA_HOME
    try:
        cpp_extension.CUDA_HOME = kept or "no-toolkit"
        yield
    finally:
        cpp_extension.CUDA_HOME = kept
