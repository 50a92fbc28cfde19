"""Landmarks of mouth and eyes from pictures, by a regression fitted to the clip's own frames.

No model has to be downloaded: the dataset has landmarks of its true frames, and a ridge regression
predicts them from patches around the mouth and each eye, sampled on a plane that turns with the
head. On rendered frames it gives what an observer would see, whether Gaussians move or change
colour or opacity. On true held-out frames it gives its own error; the report shows both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..dataset.landmarks import MOUTH
from ..images.sampling import bilinear
from ..records.arrays import Float64
from ..records.camera import Camera
from .landmarks import projected

GRID = (18, 28)  # rows and columns of a patch
OVERSAMPLING = 3  # samples per patch value along each axis, averaged
# Landmarks of each patch, and its half width as a multiple of theirs.
PARTS = {"mouth": (MOUTH, 1.5), "right eye": (slice(36, 42), 1.6), "left eye": (slice(42, 48), 1.6)}
RIDGES = (1e-3, 1e-2, 1e-1, 1.0, 10.0)  # candidates, times the mean square of a patch
MIN_FRAMES = 24  # below which no regression is fitted
MAX_FRAMES = 400  # that it is fitted to
FOLDS = 4  # of the cross-validation


@dataclass(frozen=True, eq=False)
class Patch:
    """points (rows, columns, 3): where the picture is sampled, in the head's frame, decimetres."""

    points: Float64

    def sample(self, picture: NDArray[np.floating], camera: Camera) -> Float64:
        """(D,) values of the picture (H, W, 3) there, averaged over small squares, minus their
        mean."""
        values = bilinear(picture[None], projected(self.points, camera)[None])[0]
        rows, columns = GRID
        squares = values.reshape(rows, OVERSAMPLING, columns, OVERSAMPLING, -1)
        patch: Float64 = squares.mean(axis=(1, 3)).reshape(-1)
        return patch - patch.mean()


@dataclass(frozen=True, eq=False)
class LandmarkRegression:
    """still (68, 3): mean landmarks in the head's frame. Each part: patch, the L landmarks that it
    predicts, mean patch (D,), weights (D, 2 L), mean offset (2 L,)."""

    still: Float64
    parts: tuple[tuple[Patch, slice, Float64, Float64, Float64], ...]

    def predict(self, picture: NDArray[np.floating], camera: Camera) -> Float64:
        """(68, 2) pixels: mouth and eyes in the picture (H, W, 3) in [0, 1]; NaN for the other
        landmarks."""
        out = np.full((len(self.still), 2), np.nan)
        rigid = projected(self.still, camera)
        for patch, which, mean, weights, offset in self.parts:
            moved = (patch.sample(picture, camera) - mean) @ weights + offset
            out[which] = rigid[which] + moved.reshape(-1, 2)
        return out


def sample_of(rows: Sequence[int]) -> tuple[int, ...]:
    """At most MAX_FRAMES of the rows, evenly spaced."""
    return tuple(rows[:: -(-len(rows) // MAX_FRAMES)]) if rows else ()


def fit_regression(
    still: Float64,
    cameras: Sequence[Camera],
    landmarks: Float64,
    picture: Callable[[int], NDArray[np.floating]],
) -> LandmarkRegression | None:
    """Fit to R frames. still (68, 3): mean landmarks, NaN if unknown. landmarks (R, 68, 2) pixels.
    picture(index): the true frame (H, W, 3) in [0, 1]. None if too few frames have landmarks."""
    known = [i for i in range(len(cameras)) if np.isfinite(landmarks[i]).all()]
    if len(known) < MIN_FRAMES or not np.isfinite(still).all():
        return None
    patches = {name: _patch(still[which], reach) for name, (which, reach) in PARTS.items()}
    samples: dict[str, list[Float64]] = {name: [] for name in PARTS}
    offsets = []
    for index in known:
        frame, camera = picture(index), cameras[index]
        for name, patch in patches.items():
            samples[name].append(patch.sample(frame, camera))
        offsets.append(landmarks[index] - projected(still, camera))
    moved = np.array(offsets)
    parts = []
    for name, (which, _) in PARTS.items():
        answers = moved[:, which].reshape(len(known), -1)
        mean, weights, answer = _ridge(np.array(samples[name]), answers)
        parts.append((patches[name], which, mean, weights, answer))
    return LandmarkRegression(still, tuple(parts))


def _patch(landmarks: Float64, reach: float) -> Patch:
    """A plane parallel to the front of the head, at the mean depth of the landmarks (L, 3)."""
    middle = landmarks.mean(axis=0)
    half = reach * float(np.ptp(landmarks[:, 0])) / 2
    rows, columns = (side * OVERSAMPLING for side in GRID)
    down = -(np.arange(rows) + 0.5 - rows / 2) * (2 * half / columns)
    across = (np.arange(columns) + 0.5 - columns / 2) * (2 * half / columns)
    points = np.empty((rows, columns, 3))
    points[..., 0] = middle[0] + across
    points[..., 1] = middle[1] + down[:, None]
    points[..., 2] = middle[2]
    return Patch(points)


def _ridge(patches: Float64, answers: Float64) -> tuple[Float64, Float64, Float64]:
    """(mean patch, weights, mean answer) with the ridge that is best in cross-validation. A fold is
    a stretch of time, because neighbouring frames are nearly equal."""
    best, least = RIDGES[0], np.inf
    edges = np.linspace(0, len(patches), FOLDS + 1).astype(int)
    for ridge in RIDGES:
        wrong = 0.0
        for start, stop in pairwise(edges):
            out = np.zeros(len(patches), bool)
            out[start:stop] = True
            mean, weights, answer = _fit(patches[~out], answers[~out], ridge)
            wrong += float(np.square((patches[out] - mean) @ weights + answer - answers[out]).sum())
        if wrong < least:
            best, least = ridge, wrong
    return _fit(patches, answers, best)


def _fit(patches: Float64, answers: Float64, ridge: float) -> tuple[Float64, Float64, Float64]:
    mean, answer = patches.mean(axis=0), answers.mean(axis=0)
    centred = patches - mean
    kernel = centred @ centred.T
    scale = ridge * max(float(np.trace(kernel)) / len(kernel), 1e-12)
    dual = np.linalg.solve(kernel + scale * np.eye(len(kernel)), answers - answer)
    return mean, centred.T @ dual, answer
