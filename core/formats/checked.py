"""Tensors of a file, checked before anything uses them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..errors import AvatarFileError
from .safetensors import Array


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
    """Aligned float32, whatever the file held; a float64 out of range becomes infinite."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.require(array, np.float32, "A")
