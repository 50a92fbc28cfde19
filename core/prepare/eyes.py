"""Eye closure from the landmarks of the lids."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..dataset.eyes import closure_of
from ..records.arrays import Float64
from .mesh import LEFT_EYE, RIGHT_EYE

FULL_AU = 2.0  # AU45_r at which training treats an eye as closed (docs/method.md §3.5)


def aspect_ratios(meshes: Float64) -> Float64:
    """(F,) height over width of the eyes in the meshes (F, 478, 2 or more), the mean of both."""
    both = []
    for outer, upper_a, lower_a, upper_b, lower_b, inner in (RIGHT_EYE, LEFT_EYE):
        height = _apart(meshes, upper_a, lower_a) + _apart(meshes, upper_b, lower_b)
        both.append(height / 2 / np.maximum(_apart(meshes, outer, inner), 1e-6))
    return np.asarray(np.mean(both, 0))


def _apart(meshes: Float64, a: int, b: int) -> Float64:
    return np.asarray(np.linalg.norm(meshes[:, a, :2] - meshes[:, b, :2], axis=1))


def closure(meshes: Float64, valid: NDArray[np.bool_]) -> Float64:
    """(F,) from 0 (open as usual for this person) to 1 (closed). Frames that are left out (valid
    (F,) False) are interpolated linearly and do not count for what is usual."""
    rows = np.flatnonzero(valid)
    known = aspect_ratios(meshes[rows])
    return closure_of(np.interp(np.arange(len(meshes)), rows, known))


def table(closed: Float64, valid: NDArray[np.bool_]) -> str:
    """The text of au.csv as OpenFace writes it, with the spaces of its header; row i is frame i."""
    rows = ["frame, timestamp, confidence, success, AU45_r"]
    for index, value in enumerate(closed):
        found = int(valid[index])
        rows.append(f"{index + 1}, {index / 25:.3f}, {found:.2f}, {found}, {FULL_AU * value:.3f}")
    return "\n".join(rows) + "\n"
