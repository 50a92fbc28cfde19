"""Avatar files changed on disk, and avatars compared value by value."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from core.formats.safetensors import read_tensors, write_tensors
from core.records.avatar import Avatar


def leaves(value: Any, where: str = "") -> dict[str, Any]:
    """Every array and plain value of a record, by its path."""
    if dataclasses.is_dataclass(value):
        value = vars(value)
    if isinstance(value, dict):
        return {k: v for key in value for k, v in leaves(value[key], f"{where}.{key}").items()}
    return {where: value}


def assert_same(a: Avatar, b: Avatar) -> None:
    left, right = leaves(a), leaves(b)
    assert left.keys() == right.keys()
    for key, value in left.items():
        if isinstance(value, np.ndarray):
            assert value.dtype == right[key].dtype and value.tobytes() == right[key].tobytes(), key
        elif key != ".content_hash":
            assert value == right[key], key


Table = dict[str, Any]


def rewrite(path: Path, change: Callable[[Table, Table, Table], None]) -> None:
    """Change (document, tensors, metadata) of a file in place."""
    tensors, metadata, _ = read_tensors(path)
    document = json.loads(metadata["avatar"])
    tensors = {name: array.copy() for name, array in tensors.items()}
    metadata.pop("avatar")
    change(document, tensors, metadata)
    metadata.setdefault("avatar", json.dumps(document))
    write_tensors(path, tensors, metadata)


def put(where: str, *keys_and_value: Any) -> Callable[[Table, Table, Table], None]:
    """A change that sets one entry of the document ("d"), a tensor ("t") or the metadata ("m")."""
    *keys, last, value = keys_and_value

    def change(document: Table, tensors: Table, metadata: Table) -> None:
        table = {"d": document, "t": tensors, "m": metadata}[where]
        for key in keys:
            table = table[key]
        if value is None:
            del table[last]
        else:
            table[last] = value

    return change
