"""Tensors written in PyTorch's file layout without PyTorch, for programs that read track_params.pt.

The file is a zip of raw numbers and a short program for a stack machine, which names them. Its
instructions are written here one by one; they build a dictionary of float32 CPU tensors by name.
Nothing is read or run.
"""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..records.arrays import Float32

REBUILD = b"ctorch._utils\n_rebuild_tensor_v2\n"
STORAGE = b"ctorch\nFloatStorage\n"
ORDERED = b"ccollections\nOrderedDict\n)R"
MARK, TUPLE, CALL, PERSISTENT, FALSE = b"(", b"t", b"R", b"Q", b"\x89"


def torch_bytes(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """The file's bytes for names and arrays, which become float32."""
    tensors = {name: np.ascontiguousarray(array, "<f4") for name, array in arrays.items()}
    program = [b"\x80\x02}", MARK]
    for key, (name, tensor) in enumerate(tensors.items()):
        program += [_text(name), _tensor(str(key), tensor)]
    program.append(b"u.")
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_STORED) as archive:
        _add(archive, "track_params/data.pkl", b"".join(program))
        _add(archive, "track_params/byteorder", b"little")
        for key, tensor in enumerate(tensors.values()):
            _add(archive, f"track_params/data/{key}", tensor.tobytes())
        _add(archive, "track_params/version", b"3\n")
    return data.getvalue()


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    """Add a member with a fixed date; its data begin at a multiple of 64 bytes, so that they can be
    memory-mapped."""
    entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    stream = archive.fp
    start = (stream.tell() if stream else 0) + 30 + len(name)
    pad = -(start + 4) % 64
    entry.extra = struct.pack("<2sH", b"FB", pad) + b"Z" * pad
    archive.writestr(entry, data)


def _tensor(key: str, tensor: Float32) -> bytes:
    strides = [stride // 4 for stride in tensor.strides]
    storage = [MARK, _text("storage"), STORAGE, _text(key), _text("cpu"), _number(tensor.size)]
    layout = [_number(0), _numbers(tensor.shape), _numbers(strides), FALSE, ORDERED]
    return b"".join([REBUILD, MARK, *storage, TUPLE, PERSISTENT, *layout, TUPLE, CALL])


def _text(text: str) -> bytes:
    data = text.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def _number(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def _numbers(values: Any) -> bytes:
    return b"".join([MARK, *(_number(int(value)) for value in values), TUPLE])
