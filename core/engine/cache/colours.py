"""A frame's own colours in a quarter of their size, as the cache keeps them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...records.gaussians import Float32

LEVELS = 127


@dataclass(frozen=True, eq=False)
class Colours:
    """Distance from the avatar's colours. levels (N, 16, 3) int8; steps (N,) float32: what one
    level of a Gaussian is worth."""

    levels: NDArray[np.int8]
    steps: Float32

    @property
    def nbytes(self) -> int:
        return self.levels.nbytes + self.steps.nbytes


def packed(sh: Float32, canonical_sh: Float32) -> Colours:
    """sh (N, 16, 3) to within 1/254 of the largest distance that the Gaussian's coefficients have
    from `canonical_sh`."""
    distances = sh - canonical_sh
    rows = distances.reshape(len(sh), -1)
    # What is not finite comes back as NaN, by its step.
    with np.errstate(invalid="ignore"):
        largest = np.maximum(rows.max(axis=1, initial=0), -rows.min(axis=1, initial=0))
        steps = np.maximum(largest / np.float32(LEVELS), np.finfo(np.float32).tiny)
        rows *= (1 / steps)[:, None]
        return Colours(np.rint(distances, out=distances).astype(np.int8), steps)


def unpacked(colours: Colours, canonical_sh: Float32) -> Float32:
    """(N, 16, 3) float32."""
    with np.errstate(invalid="ignore"):
        sh = np.multiply(colours.levels, colours.steps[:, None, None], dtype=np.float32)
    sh += canonical_sh
    return sh
