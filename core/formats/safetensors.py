"""The safetensors layout with numpy alone: 8-byte length, JSON header, raw tensors.

Any tool that knows the layout can open these files, and they cannot contain code. Every number of a
header is checked against the file's size before memory is allocated.
"""

from __future__ import annotations

import hashlib
import json
import math
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..errors import AvatarFileError
from ..system.files import open_regular, reason, write_atomic

Array = NDArray[Any]

MAX_HEADER = 16 * 2**20  # bytes; an avatar's header is a few kilobytes
MAX_FILE = 4 * 2**30  # bytes; hundreds of times the largest avatar
MAX_DIMENSIONS = 8
MAX_NAME = 200  # characters
METADATA = "__metadata__"

DTYPES: dict[str, np.dtype[Any]] = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "I64": np.dtype("<i8"),
    "I32": np.dtype("<i4"),
    "U8": np.dtype("u1"),
}
_NAMES = {dtype: name for name, dtype in DTYPES.items()}


def write_tensors(path: Path, tensors: Mapping[str, Array], metadata: Mapping[str, str]) -> str:
    """Write atomically; returns the SHA-256 of the file in hexadecimal. The same input gives the
    same bytes. OutputError if the file cannot be written."""
    # Large items first keeps every tensor aligned to its own item size.
    names = sorted(tensors, key=lambda name: (-tensors[name].dtype.itemsize, name))
    header: dict[str, Any] = {METADATA: dict(metadata)}
    chunks: list[memoryview] = []
    offset = 0
    for name in names:
        array = np.ascontiguousarray(tensors[name])
        array = array.astype(array.dtype.newbyteorder("<"), copy=False).reshape(tensors[name].shape)
        end = offset + array.nbytes
        header[name] = {
            "dtype": _NAMES[array.dtype],
            "shape": list(array.shape),
            "data_offsets": [offset, end],
        }
        if array.nbytes:  # an empty array has no buffer to cast
            chunks.append(memoryview(array).cast("B"))
        offset = end
    text = json.dumps(header, separators=(",", ":"), allow_nan=False).encode()
    text += b" " * (-len(text) % 8)
    parts: list[bytes | memoryview] = [struct.pack("<Q", len(text)), text, *chunks]
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    write_atomic(path, parts)
    return digest.hexdigest()


def read_tensors(path: Path) -> tuple[dict[str, Array], dict[str, str], str]:
    """(tensors, metadata, SHA-256 of the file), the file read once. The tensors are views of one
    buffer. AvatarFileError names what is wrong."""
    file, size = open_regular(path, AvatarFileError, MAX_FILE)
    with file:
        try:
            return _read(file, size)
        except AvatarFileError as error:
            raise AvatarFileError(f"{path}: {error}") from None
        except OSError as error:
            raise AvatarFileError(f"{path} cannot be read: {reason(error)}") from None


def _read(file: BinaryIO, size: int) -> tuple[dict[str, Array], dict[str, str], str]:
    digest = hashlib.sha256()
    prefix = file.read(8)
    if len(prefix) < 8:
        raise AvatarFileError("the file is shorter than 8 bytes; it is not an avatar or is cut off")
    (length,) = struct.unpack("<Q", prefix)
    if length > min(MAX_HEADER, size - 8):
        raise AvatarFileError(
            f"a header of {length} bytes does not fit; it is not an .egs file or is damaged"
        )
    text = file.read(length)
    header = _parse(text)
    metadata = header.pop(METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise AvatarFileError("the header's metadata is not text; the file is damaged")
    layout = _layout(header, size - 8 - length)
    data = np.empty(size - 8 - length, np.uint8)
    if file.readinto(memoryview(data)) != len(data):  # type: ignore[attr-defined]
        raise AvatarFileError("the file changed while it was read; try again")
    for part in (prefix, text, data):
        digest.update(part)
    tensors = {
        name: data[start:end].view(dtype).reshape(shape)
        for name, dtype, shape, start, end in layout
    }
    return tensors, metadata, digest.hexdigest()


def _refuse_constant(value: str) -> float:
    raise ValueError(f"{value} is not a JSON number")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        raise ValueError("a name appears twice")
    return table


def parse_json(text: bytes | str) -> Any:
    """Strict JSON: no NaN, no duplicate name, no excessive nesting. ValueError otherwise."""
    try:
        return json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_unique)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _parse(text: bytes) -> dict[str, Any]:
    try:
        header = parse_json(text.decode())
    except ValueError:
        raise AvatarFileError(
            "the header is not valid JSON; it is not an .egs file or is damaged"
        ) from None
    if not isinstance(header, dict):
        raise AvatarFileError(
            "the header is not a JSON object; it is not an .egs file or is damaged"
        )
    return header


def _count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**62


def _layout(
    header: Mapping[str, Any], available: int
) -> list[tuple[str, np.dtype[Any], tuple[int, ...], int, int]]:
    """(name, dtype, shape, start, end) of every tensor; together they fill the data exactly."""
    layout = []
    for name, entry in header.items():
        entry = entry if isinstance(entry, dict) else {}
        kind = str(entry.get("dtype"))[:20]
        dtype = DTYPES.get(kind)
        shape, offsets = entry.get("shape"), entry.get("data_offsets")
        if len(name) > MAX_NAME:
            raise AvatarFileError(
                f"a tensor has a name of {len(name)} characters; the file is damaged"
            )
        if dtype is None:
            raise AvatarFileError(
                f"tensor {name!r} has type {kind!r}; known are {', '.join(DTYPES)}"
            )
        if (
            not isinstance(shape, list)
            or len(shape) > MAX_DIMENSIONS
            or not all(map(_count, shape))
        ):
            raise AvatarFileError(f"tensor {name!r} has no valid shape; the file is damaged")
        if not isinstance(offsets, list) or len(offsets) != 2 or not all(map(_count, offsets)):
            raise AvatarFileError(f"tensor {name!r} has no valid place; the file is damaged")
        start, end = offsets
        if end - start != math.prod(shape) * dtype.itemsize:
            raise AvatarFileError(
                f"tensor {name!r} of shape {shape} does not fill {end - start} bytes; "
                "the file is damaged"
            )
        layout.append((name, dtype, tuple(shape), start, end))
    position = 0
    for name, _, _, start, end in sorted(layout, key=lambda item: item[3:]):
        if start != position:
            raise AvatarFileError(f"tensor {name!r} overlaps or leaves a gap; the file is damaged")
        position = end
    if position != available:
        raise AvatarFileError(
            f"the tensors need {position} bytes, the file has {available}; "
            "it is cut off or damaged, copy it again"
        )
    return layout


def floats(tensors: Mapping[str, Array], name: str, *shape: int | None) -> Array:
    """The floating-point tensor `name`, of `shape` (None: any length), finite."""
    array = tensors.get(name)
    if array is None:
        raise AvatarFileError(f"tensor {name!r} is missing; the file is damaged")
    fits = len(array.shape) == len(shape) and all(
        wanted in (None, size) for wanted, size in zip(shape, array.shape, strict=True)
    )
    if not fits or array.dtype.kind != "f":
        wanted = " x ".join("any" if size is None else str(size) for size in shape)
        raise AvatarFileError(
            f"tensor {name!r} is {array.dtype.name} {list(array.shape)}, not float {wanted}"
        )
    bad = array.size - np.count_nonzero(np.isfinite(array))
    if bad:
        raise AvatarFileError(f"tensor {name!r} has {bad} values that are not finite numbers")
    return array


def float32(array: Array) -> Array:
    """Aligned float32 of any float type; a float64 out of range becomes infinite."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.require(array, np.float32, "A")
