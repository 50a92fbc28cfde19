"""The CUDA kernels on a CPU: g++ compiles the same source with a header that replaces CUDA
(cuda_on_cpu.h), and the functions are called as torch calls a compiled kernel. For machines without
a GPU."""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from core.render.cuda.source import KERNELS, source

BARRIERS = {"blend", "blend_deep"}
HEADER = Path(__file__).with_name("cuda_on_cpu.h")


# What a tensor must be for a pointer of that kind: type, and how many make one element.
POINTERS = {
    "float": ("float32", 1),
    "float4": ("float32", 4),
    "Ellipse": ("float32", 12),
    "int": ("int32", 1),
    "unsigned": ("int32", 1),
    "ushort4": ("int16", 4),
    "long long": ("int64", 1),
    "unsigned long long": ("int64", 1),
    "uchar4": ("uint8", 4),
}


def parameters(name: str) -> list[tuple[str, bool, bool]]:
    """Of a kernel, from its source: type, whether it is a pointer, whether it is only read."""
    found = re.search(rf"__global__ void (?:__launch_bounds__\(.*\) )?{name}\(([^)]*)\)", source())
    assert found is not None
    result = []
    for text in found[1].split(","):
        words = re.match(r"\s*(const )?([a-z A-Z0-9]+?) ?(\*?)\w+\s*$", text)
        assert words is not None, text
        result.append((words[2], bool(words[3]), bool(words[1])))
    return result


def check(name: str, args: list[Any], device: str = "cpu") -> None:
    """That a launch's arguments are what the kernel takes: a GPU would not say."""
    wanted = parameters(name)
    assert len(args) == len(wanted)  # a GPU would read beyond the list
    for value, (kind, is_pointer, _) in zip(args, wanted, strict=True):
        if not is_pointer:
            assert kind == "int" and type(value) is int and -(2**31) <= value < 2**31
            continue
        dtype, each = POINTERS[kind]
        assert value.is_contiguous() and value.device.type == device
        # The picture is float4 or uchar4, by `in_bytes`; the one that it is not is left alone.
        either = kind in ("float4", "uchar4")
        assert str(value.dtype) == f"torch.{dtype}" or either, (name, kind, value.dtype)
        if not either:
            assert value.numel() % each == 0 and value.data_ptr() % min(4 * each, 16) == 0


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
    launch = library[f"launch_{name}"]
    assert len(parameters(name)) == library[f"arity_{name}"]()

    def run(grid: tuple[int, int, int], block: tuple[int, int, int], args: list[Any]) -> None:
        from tests.support.pretend_cuda import PretendCuda  # tests that torch is missing for skip

        mode = PretendCuda.present
        check(name, args, "cpu" if mode is None else "cuda")
        pointers = zip(args, parameters(name), strict=True)
        tensors = [(value, reads) for value, (_, pointer, reads) in pointers if pointer]
        if mode is not None:
            mode.read(*(value for value, reads in tensors if reads))
        frozen: list[Any] = []
        for value in args:
            if isinstance(value, int):
                frozen.append(ctypes.c_int(value))
            else:
                frozen.append(ctypes.c_void_p(value.data_ptr()))
        addresses = (ctypes.c_void_p * len(frozen))(
            *(ctypes.cast(ctypes.byref(value), ctypes.c_void_p) for value in frozen)
        )
        launch(grid[0], grid[1], block[0], addresses)
        if mode is not None:
            mode.wrote(*(value for value, reads in tensors if not reads))

    return run
