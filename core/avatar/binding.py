"""Points of a head bound to the Gaussians nearest to them, with which they move."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..records.arrays import Float64

NEAREST = 8  # Gaussians that represent a point
MIN_OPACITY = 0.3  # of them; fainter ones are hardly visible


@dataclass(frozen=True, eq=False)
class Binding:
    """Of P points. indices (P, K) of Gaussians. mean (P, 3): the points' mean places in the head's
    frame; base (P, 3): the mean place of their Gaussians; distances (P,): from points to Gaussians.
    Decimetres, NaN for a point without data."""

    indices: NDArray[np.int64]
    mean: Float64
    base: Float64
    distances: Float64

    def places(self, means: NDArray[np.floating]) -> Float64:
        """(P, 3) for deformed means (N, 3): the mean points, displaced as their Gaussians are from
        their mean place."""
        return self.mean + means[self.indices].astype(np.float64).mean(axis=1) - self.base


def bind(points: Float64, means: NDArray[np.floating], opacities: NDArray[np.floating]) -> Binding:
    """points (P, 3) in the head's frame; means (N, 3) and opacities (N,) of the head in which they
    were measured."""
    solid = np.flatnonzero(opacities >= MIN_OPACITY)
    if len(solid) < NEAREST:
        solid = np.arange(len(means))
    count = min(NEAREST, len(solid))
    indices = np.zeros((len(points), count), np.int64)
    distances = np.full(len(points), np.nan)
    candidates = means[solid].astype(np.float64)
    for number, place in enumerate(points):
        squared = np.square(candidates - place).sum(axis=1)
        near = np.argsort(squared, kind="stable")[:count]  # arbitrary for a place that is NaN
        indices[number] = solid[near]
        distances[number] = np.sqrt(squared[near]).mean()
    base = means[indices].astype(np.float64).mean(axis=1)
    return Binding(indices, points, base, distances)
