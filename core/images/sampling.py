"""Interpolates pictures between their pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..records.arrays import Float64


def bilinear(
    pictures: NDArray[np.floating], places: Float64, dtype: DTypeLike = np.float64
) -> NDArray[Any]:
    """(K, ..., [C]) values of pictures (K, H, W, [C]) at places (K, ..., 2), x and y in pixels, the
    first pixel's centre at 0.5; outside, the edge is repeated. dtype: of the weights, float32 where
    speed matters more than the last bits. Pictures are at least 2 x 2."""
    count, height, width = pictures.shape[:3]
    channels = pictures.shape[3:]
    x = np.clip(places[..., 0] - 0.5, 0, width - 1.001).astype(dtype)
    y = np.clip(places[..., 1] - 0.5, 0, height - 1.001).astype(dtype)
    column, row = x.astype(np.int32), y.astype(np.int32)
    x -= column
    y -= row
    base = np.arange(count, dtype=np.int32).reshape(-1, *(1,) * (x.ndim - 1)) * (height * width)
    at = base + row * width + column
    flat = pictures.reshape(-1, *channels)
    u, v = (part.reshape(*x.shape, *(1,) * len(channels)) for part in (x, y))
    upper = flat[at] * (1 - u) + flat[at + 1] * u
    lower = flat[at + width] * (1 - u) + flat[at + width + 1] * u
    return np.asarray(upper * (1 - v) + lower * v)
