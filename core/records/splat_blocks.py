"""Splats as one array of floats, field after field: for files and shared memory."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from .arrays import Float32
from .gaussians import SH_COEFFICIENTS, Splats

MOVED: dict[str, tuple[int, ...]] = {"means": (3,), "quats": (4,), "scales": (3,), "opacities": ()}
FIELDS = {**MOVED, "sh": (SH_COEFFICIENTS, 3)}  # in this order, with the shape of one splat


def width(fields: Iterable[str]) -> int:
    """Floats per splat in these fields."""
    return sum(math.prod(FIELDS[name]) for name in fields)


def blocks_of(splats: Splats, fields: Iterable[str] = FIELDS) -> list[Float32]:
    """The named fields, each as (N * its width,) float32."""
    return [np.asarray(getattr(splats, name), np.float32).ravel() for name in fields]


def fields_from(
    values: Float32, count: int, fields: Iterable[str] = FIELDS
) -> tuple[dict[str, Float32], Float32]:
    """The named fields of `count` splats, as views of `values`, and the floats after them."""
    found, start = {}, 0
    for name in fields:
        stop = start + count * math.prod(FIELDS[name])
        found[name] = values[start:stop].reshape(count, *FIELDS[name])
        start = stop
    return found, values[start:]
