"""The CUDA kernels on a processor: the same source through g++ and a header that stands in for CUDA
(cuda_on_cpu.h), called as torch calls a compiled kernel. For tests of machines without a GPU."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from core.render.nvrtc.source import KERNELS, source

BARRIERS = {"blend"}
HEADER = Path(__file__).with_name("cuda_on_cpu.h")


def emulated(folder: Path) -> Mapping[str, Any]:
    """Name -> kernel that takes CPU tensors. Skips where there is no g++."""
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("g++ is not installed, so that the CUDA kernels cannot be tried on the CPU")
    lines = [f'#include "{HEADER}"', source()]
    lines += [f"EMULATED({name}, {int(name in BARRIERS)})" for name in KERNELS]
    text, library = folder / "kernels.cpp", folder / "kernels.so"
    text.write_text("\n".join(lines), encoding="utf-8")
    options = ["-std=c++17", "-O2", "-ffp-contract=off", "-Wall", "-Werror", "-Wno-unused-function"]
    subprocess.run(
        [compiler, *options, "-shared", "-fPIC", str(text), "-o", str(library)], check=True
    )
    loaded = ctypes.CDLL(str(library))
    return {name: _kernel(loaded, name) for name in KERNELS}


def _kernel(library: ctypes.CDLL, name: str) -> Any:
    launch, arity = library[f"launch_{name}"], library[f"arity_{name}"]()

    def run(grid: tuple[int, int, int], block: tuple[int, int, int], args: list[Any]) -> None:
        assert len(args) == arity  # a GPU would read beyond the list
        held: list[Any] = []
        for value in args:
            if isinstance(value, int):
                held.append(ctypes.c_int(value))
            else:
                assert value.is_contiguous() and value.device.type == "cpu"
                held.append(ctypes.c_void_p(value.data_ptr()))
        pointers = (ctypes.c_void_p * len(held))(
            *(ctypes.cast(ctypes.byref(value), ctypes.c_void_p) for value in held)
        )
        launch(grid[0], grid[1], block[0], pointers)

    return run
