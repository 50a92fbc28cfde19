"""Beyond exact: Gaussians that speech hardly moves stay where they are on average.

The network runs on the others alone; what it gives them does not change, since nothing couples
Gaussians but ESAA's agents, which always move. How far the picture is from the exact one was
measured for the avatar (record.Held); a `Moment` asks for it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..records.avatar import FrozenGaussians
from ..records.gaussians import Gaussians, Splats, activate, rows_of, with_rows
from ..records.weights import NetworkWeights
from .deformer import Deformer
from .numpy.basics import Float32

Prepare = Callable[[NetworkWeights, Gaussians], Deformer]
# Attribute of NetworkWeights.frozen -> field of Gaussians; fields of Splats are named as the first.
RAW = {
    "means": "means",
    "scales": "log_scales",
    "quats": "quats",
    "opacities": "opacity_logits",
    "sh": "sh",
}


class ApproximableDeformer:
    """Implements `Deformer`, exactly, and offers `approximate` beside it."""

    def __init__(
        self,
        weights: NetworkWeights,
        gaussians: Gaussians,
        frozen: FrozenGaussians,
        prepare: Prepare,
    ) -> None:
        self._exact = prepare(weights, gaussians)
        self._parts = (weights, gaussians, frozen, prepare)
        self._rough: HeldDeformer | None = None
        self._guard = threading.Lock()

    @property
    def approximate(self) -> HeldDeformer:
        """Made when it is first asked for, once: a bake's frames ask side by side."""
        with self._guard:
            if self._rough is None:
                self._rough = HeldDeformer(*self._parts)
            return self._rough

    def encode_audio(self, windows: Float32) -> Float32:
        return self._exact.encode_audio(windows)

    def deform(self, code: Float32, eye: float, pose: Float32, strength: float) -> Splats:
        return self._exact.deform(code, eye, pose, strength)


class HeldDeformer:
    """Implements `Deformer`, approximately: `held` rows rest, all others are exact."""

    def __init__(
        self,
        weights: NetworkWeights,
        gaussians: Gaussians,
        frozen: FrozenGaussians,
        prepare: Prepare,
    ) -> None:
        self._moving = np.setdiff1d(np.arange(len(gaussians)), frozen.rows)
        self._deformer = prepare(weights, rows_of(gaussians, self._moving))
        self._resting = lru_cache(1)(
            lambda strength: resting(gaussians, frozen.rows, frozen.offsets, strength)
        )
        self._moved = tuple(frozen.offsets)

    def encode_audio(self, windows: Float32) -> Float32:
        return self._deformer.encode_audio(windows)

    def deform(self, code: Float32, eye: float, pose: Float32, strength: float) -> Splats:
        moving = self._deformer.deform(code, eye, pose, strength)
        return with_rows(self._resting(float(strength)), self._moving, moving, self._moved)


def resting(
    gaussians: Gaussians,
    rows: NDArray[np.int64],
    offsets: Mapping[str, Float32],
    strength: float,
) -> Splats:
    """All Gaussians: `rows` (H,) moved by `offsets` (see record.Held), the others canonical."""
    moved = {}
    for name, offset in offsets.items():
        values = np.array(getattr(gaussians, RAW[name]))
        flat = values.reshape(len(gaussians), -1)
        flat[rows, : offset.shape[1]] += np.float32(strength) * offset
        moved[RAW[name]] = values
    return activate(replace(gaussians, **moved))
