"""Interpolates pictures between their pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


def bilinear(
    pictures: NDArray[np.floating], places: NDArray[np.floating], dtype: DTypeLike = np.float64
) -> NDArray[Any]:
    """(K, ..., [C]) values of pictures (K, H, W, [C]) at places (K, ..., 2), x and y in pixels, the
    first pixel's centre at 0.5; outside, the edge is repeated. dtype: of the weights, float32 where
    speed matters more than the last bits. Pictures are at least 2 x 2."""
    # One picture after the other: what is read and written then stays in the processor's cache.
    pairs = zip(pictures, places, strict=True)
    return np.stack([_bilinear(picture, place, dtype) for picture, place in pairs])


def _bilinear(
    picture: NDArray[np.floating], places: NDArray[np.floating], dtype: DTypeLike
) -> NDArray[Any]:
    height, width = picture.shape[:2]
    channels = picture.shape[2:]
    x = np.clip(places[..., 0] - 0.5, 0, width - 1.001).astype(dtype)
    y = np.clip(places[..., 1] - 0.5, 0, height - 1.001).astype(dtype)
    column, at = x.astype(np.intp), y.astype(np.intp)
    x -= column
    y -= at
    at *= width
    at += column
    flat = picture.reshape(-1, *channels)
    u, v = (part.reshape(*x.shape, *(1,) * len(channels)) for part in (x, y))

    def mixed(first: NDArray[np.intp]) -> NDArray[Any]:
        # All places lie inside; "wrap" only leaves the check out.
        left = flat.take(first, 0, mode="wrap")
        return np.asarray(left + (flat.take(first + 1, 0, mode="wrap") - left) * u)

    upper = mixed(at)
    at += width
    return np.asarray(upper + (mixed(at) - upper) * v)
