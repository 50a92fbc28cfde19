"""The approximate head: Gaussians that speech hardly moves keep their average offset.

The network runs only on the others. Their result does not change: only ESAA's agents couple
Gaussians, and those are never frozen. The distance from the exact picture is measured for each
avatar (records.avatar.Measured); a `Moment` asks for the approximate head.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..records.arrays import Float32
from ..records.avatar import FrozenGaussians
from ..records.gaussians import (
    Gaussians,
    Splats,
    activate,
    flat_of,
    gaussians_of,
    rows_of,
    with_rows,
)
from ..records.weights import NetworkWeights
from .deformer import Deformer

Prepare = Callable[[NetworkWeights, Gaussians], Deformer]


class ApproximableDeformer(Deformer):
    """Exact; `approximate` is the deformer that keeps Gaussians frozen."""

    def __init__(
        self,
        weights: NetworkWeights,
        gaussians: Gaussians,
        frozen: FrozenGaussians,
        prepare: Prepare,
    ) -> None:
        self._exact = prepare(weights, gaussians)
        self._parts = (weights, gaussians, frozen, prepare)
        self._approximate: FrozenDeformer | None = None
        self._guard = threading.Lock()

    @property
    def approximate(self) -> FrozenDeformer:
        """Prepared at the first request, once: the frames of a bake ask for it concurrently."""
        with self._guard:
            if self._approximate is None:
                self._approximate = FrozenDeformer(*self._parts)
            return self._approximate

    def encode_audio(self, windows: Float32) -> Float32:
        return self._exact.encode_audio(windows)

    def deform(self, code: Float32, eye: float, pose: Float32, strength: float) -> Splats:
        return self._exact.deform(code, eye, pose, strength)


class FrozenDeformer(Deformer):
    """Frozen rows keep their average offset; all others are exact."""

    def __init__(
        self,
        weights: NetworkWeights,
        gaussians: Gaussians,
        frozen: FrozenGaussians,
        prepare: Prepare,
    ) -> None:
        self._moving = np.setdiff1d(np.arange(len(gaussians)), frozen.rows)
        self._deformer = prepare(weights, rows_of(gaussians, self._moving))
        self._at_rest = lru_cache(1)(
            lambda strength: at_rest(gaussians, frozen.rows, frozen.offsets, strength)
        )
        self._moved = tuple(frozen.offsets)

    def encode_audio(self, windows: Float32) -> Float32:
        return self._deformer.encode_audio(windows)

    def deform(self, code: Float32, eye: float, pose: Float32, strength: float) -> Splats:
        moving = self._deformer.deform(code, eye, pose, strength)
        return with_rows(self._at_rest(float(strength)), self._moving, moving, self._moved)


def at_rest(
    gaussians: Gaussians,
    rows: NDArray[np.int64],
    offsets: Mapping[str, Float32],
    strength: float,
) -> Splats:
    """All Gaussians: `rows` (H,) moved by `offsets` (see FrozenGaussians), the others canonical."""
    moved = flat_of(gaussians)
    for name, offset in offsets.items():
        values = np.array(moved[name])
        values[rows, : offset.shape[1]] += np.float32(strength) * offset
        moved[name] = values
    return activate(gaussians_of(moved))
