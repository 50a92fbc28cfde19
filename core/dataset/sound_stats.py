"""Mean and deviation of a training's sound features, which then belong to its avatar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..audio.windows import FLAT
from ..records.feature_spec import FeatureSpec


def fixed(raw: FeatureSpec, steps: NDArray[np.float32]) -> FeatureSpec:
    """`raw` normalised by mean and deviation of `steps` (T, D). A value that never changes in them
    becomes 0."""
    mean, std = steps.mean(0, dtype=np.float64), steps.std(0, dtype=np.float64)
    std = np.where(std < FLAT, 1.0, std)
    return replace(raw, normalisation="fixed", mean=tuple(mean.tolist()), std=tuple(std.tolist()))


def steps_of_rows(
    steps: NDArray[np.float32], rows: Sequence[int], stride: int
) -> NDArray[np.float32]:
    """(T', D): the `stride` steps that begin in each of `rows`, as far as `steps` (T, D) reach."""
    places = (np.array(rows, np.int64)[:, None] * stride + np.arange(stride)).ravel()
    return steps[places[places < len(steps)]]
