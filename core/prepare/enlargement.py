"""By how much one picture of a film is enlarged against another, from the pixels around the person.

A zoom enlarges wall and face alike. Which of both is believed alone is wrong now and then: people
lean forward, and a plain or dark wall matches at any size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..images.sampling import bilinear
from ..records.arrays import Float32, Float64
from .mask_regions import Mask

ROUNDS = 12
LARGEST_STEP, LAST_STEP = 0.05, 1e-4  # of logarithm and shift in one round; below it ends
LEAST_SEEN = 0.05  # share of the picture that must be seen in both
LEAST_SCALE = 0.3  # grey levels: smaller differences are rounding
OUTLIERS = 2.0  # scales from which a pixel counts half or less: something moves there
REWEIGHTED = 3


@dataclass(frozen=True)
class Enlarged:
    """zoom: the logarithm of the second picture's scale against the first. x, y: shift of its
    middle, in half sides of the picture. left: mean difference of the pixels, grey levels. moved:
    the same for the best shift alone, without a zoom."""

    zoom: float
    x: float
    y: float
    left: float
    moved: float

    @property
    def rest(self) -> float:
        """What the zoom leaves of the difference; 1 if it explains nothing."""
        return self.left / max(self.moved, 1e-6)


def enlargement(
    first: Float32, second: Float32, empty_first: Mask, empty_second: Mask, guess: float
) -> Enlarged | None:
    """first, second (S, S): grey pictures, 0 to 255; empty_first, empty_second (S, S): pixels that
    show no person. guess: a likely zoom. None if too little is seen in both."""
    pair = _Pair.of(first, second, empty_first, empty_second)
    still = pair.fit((0.0, 0.0, 0.0), zoom=False)
    if still is None:
        return None
    starts = [(0.0, *still[0][1:]), (guess, 0.0, 0.0)]
    found = [fit for fit in (pair.fit(start, zoom=True) for start in starts) if fit is not None]
    if not found:
        return None
    (zoom, x, y), left = min(found, key=lambda fit: fit[1])
    return Enlarged(zoom, x, y, left, still[1])


Place = tuple[float, float, float]  # zoom, x, y


@dataclass(frozen=True, eq=False)
class _Pair:
    """layers (S, S, 4): the first picture, its slopes to the right and down in grey levels a half
    side, and 1 where it is empty. at (n, 2): the empty pixels of the second, in half sides from its
    middle. values (n,): of those pixels."""

    layers: Float32
    at: Float32
    values: Float32

    @classmethod
    def of(cls, first: Float32, second: Float32, empty: Mask, seen: Mask) -> _Pair:
        half = len(first) / 2
        down, right = np.gradient(first)
        layers = np.stack([first, right * half, down * half, empty], -1).astype(np.float32)
        rows, columns = np.nonzero(seen)
        at = (np.stack([columns, rows], -1).astype(np.float32) + 0.5) / half - 1
        return cls(layers, at, second[seen].astype(np.float32))

    def fit(self, start: Place, *, zoom: bool) -> tuple[Place, float] | None:
        """Gauss-Newton from `start`; the place, and the mean difference that is left."""
        place = np.array(start)
        free = slice(0 if zoom else 1, 3)
        for _ in range(ROUNDS):
            seen = self._seen(place)
            if seen is None:
                return None
            rows, shown = seen
            at = self.at[rows]
            slopes = np.stack(
                [-(shown[:, 1:3] * at).sum(1) * np.float32(np.exp(-place[0])), *shown[:, 1:3].T], 1
            )[:, free]
            light = np.stack([shown[:, 0], np.ones(len(rows), np.float32)], 1)
            solved, _ = _robust(np.concatenate([slopes, light], 1), self.values[rows])
            step = np.zeros(3)
            step[free] = solved[:-2] / max(solved[-2], 0.3)
            step *= min(1.0, LARGEST_STEP / max(np.abs(step).max(), 1e-9))
            place += step
            if np.abs(step).max() < LAST_STEP:
                break
        seen = self._seen(place)
        if seen is None:
            return None
        rows, shown = seen
        light = np.stack([shown[:, 0], np.ones(len(rows), np.float32)], 1)
        _, left = _robust(light, self.values[rows])
        return (float(place[0]), float(place[1]), float(place[2])), left

    def _seen(self, place: Float64) -> tuple[NDArray[np.intp], Float32] | None:
        """The pixels (k,) of the second picture that the first one shows, and its layers (k, 4)
        there."""
        there = self.at * np.float32(np.exp(-place[0])) + place[1:].astype(np.float32)
        side = len(self.layers)
        inside = (np.abs(there) < 1 - 1 / side).all(1)
        shown = bilinear(self.layers[None], ((there + 1) * (side / 2))[None], np.float32)[0]
        rows = np.flatnonzero(inside & (shown[:, 3] > 0.99))
        return (rows, shown[rows]) if len(rows) >= LEAST_SEEN * side * side else None


def _robust(columns: Float32, values: Float32) -> tuple[Float64, float]:
    """The least squares fit of columns (n, k) to values (n,) in which what differs much counts
    little; and the mean difference."""
    weights = np.ones((len(values), 1), np.float32)
    for _ in range(REWEIGHTED):
        weighted = columns * weights
        normal = (weighted.T @ columns).astype(np.float64)
        normal[np.diag_indices(len(normal))] *= 1 + 1e-6
        solved = np.linalg.solve(
            normal + 1e-9 * np.eye(len(normal)), (weighted.T @ values).astype(float)
        )
        difference = np.abs(values - columns @ solved.astype(np.float32))
        scale = max(1.4826 * float(np.median(difference)), LEAST_SCALE)
        weights = (1 / (1 + (difference / (OUTLIERS * scale)) ** 2))[:, None]
    return solved, float(difference.mean())
