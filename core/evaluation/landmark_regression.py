"""Reads mouth and eyes off pictures, without a downloaded model: taught by the clip's own frames.

The dataset knows where the landmarks of its true frames are. A ridge regression learns from the
training frames to tell them from the picture around the mouth and around each eye, seen on a plane
that turns with the head. Read off rendered frames it says what an observer would see, whatever
moves there: Gaussians, their colours or their opacities. Read off the true held-out frames it says
how far it can be trusted; the report shows both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..images.sampling import bilinear
from ..records.camera import Camera
from .landmarks import projected
from .lips import MOUTH

Float64 = NDArray[np.float64]

GRID = (18, 28)  # rows and columns of a patch
OVERSAMPLING = 3  # samples a patch value and axis, averaged
# Patch centres (landmarks whose mean it is) and half widths as a multiple of their half width.
PARTS = {"mouth": (MOUTH, 1.5), "right eye": (slice(36, 42), 1.6), "left eye": (slice(42, 48), 1.6)}
RIDGES = (1e-3, 1e-2, 1e-1, 1.0, 10.0)  # times the mean square of a patch
LEAST = 24  # frames under which there is nothing to learn from
MOST = 400  # frames that are learnt from
FOLDS = 4


@dataclass(frozen=True, eq=False)
class Patch:
    """points (rows, columns, 3): where the patch looks, in the head's frame, decimetres."""

    points: Float64

    def seen(self, picture: NDArray[np.floating], camera: Camera) -> Float64:
        """(D,) the picture (H, W, 3) there, averaged over small squares, its mean taken off."""
        values = bilinear(picture[None], projected(self.points, camera)[None])[0]
        rows, columns = GRID
        squares = values.reshape(rows, OVERSAMPLING, columns, OVERSAMPLING, -1)
        patch: Float64 = squares.mean(axis=(1, 3)).reshape(-1)
        return patch - patch.mean()


@dataclass(frozen=True, eq=False)
class Reader:
    """still (68, 3): mean landmarks in the head's frame. Each part: patch, the landmarks it tells,
    mean patch (D,), weights (D, 2 L), mean answer (2 L,)."""

    still: Float64
    parts: tuple[tuple[Patch, slice, Float64, Float64, Float64], ...]

    def read(self, picture: NDArray[np.floating], camera: Camera) -> Float64:
        """(68, 2) pixels: mouth and eyes as the picture (H, W, 3, in [0, 1]) shows them; NaN for
        the other landmarks."""
        out = np.full((len(self.still), 2), np.nan)
        rigid = projected(self.still, camera)
        for patch, which, mean, weights, answer in self.parts:
            told = (patch.seen(picture, camera) - mean) @ weights + answer
            out[which] = rigid[which] + told.reshape(-1, 2)
        return out


def taught_on(rows: Sequence[int]) -> tuple[int, ...]:
    """At most 400 of the rows, evenly spread."""
    return tuple(rows[:: -(-len(rows) // MOST)]) if rows else ()


def teach(
    still: Float64,
    cameras: Sequence[Camera],
    landmarks: Float64,
    picture: Callable[[int], NDArray[np.floating]],
) -> Reader | None:
    """still (68, 3), NaN where never seen. One camera and landmarks (R, 68, 2) a frame;
    picture(index): the true frame in [0, 1]. None where too few frames have landmarks."""
    known = [i for i in range(len(cameras)) if np.isfinite(landmarks[i]).all()]
    if len(known) < LEAST or not np.isfinite(still).all():
        return None
    patches = {name: _patch(still[which], reach) for name, (which, reach) in PARTS.items()}
    seen: dict[str, list[Float64]] = {name: [] for name in PARTS}
    off = []
    for index in known:
        frame, camera = picture(index), cameras[index]
        for name, patch in patches.items():
            seen[name].append(patch.seen(frame, camera))
        off.append(landmarks[index] - projected(still, camera))
    moved = np.array(off)
    parts = []
    for name, (which, _) in PARTS.items():
        answers = moved[:, which].reshape(len(known), -1)
        mean, weights, answer = _ridge(np.array(seen[name]), answers)
        parts.append((patches[name], which, mean, weights, answer))
    return Reader(still, tuple(parts))


def _patch(landmarks: Float64, reach: float) -> Patch:
    """A plane that faces the front of the head, at the mean depth of the landmarks."""
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
    """(mean patch, weights, mean answer). The ridge is the one that tells left-out quarters of the
    frames best; a quarter is a stretch of time, so that neighbours do not help."""
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
