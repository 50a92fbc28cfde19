"""By how much a sound comes after the lips, from the clip itself.

The mouth's movements are predicted from the phonetic features of the sound by a ridge regression
that is cross-validated by blocks of the clip. That is tried with the sound moved by up to a second
to either side; where the prediction is best, lips and sound belong together. Only the features at
one moment are used: a window of them would leave the moment open. The same sound, turned by many
seconds, shows which correlation comes by chance.

Lips are on their way to a sound before it is heard, by a time that depends on the sound and is
negative for some (Schwartz and Savariaux, 2014, "No, there is no 150 ms lead of visual speech on
auditory speech"). What this measure shows of a clip in sync is therefore not 0: ten clips of people
that nobody had found out of sync gave 44 ms on average, standard deviation 26. LEAD, one frame, is
counted as in time; a true offset is known to about one frame."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..records.arrays import Float32, Float64
from .options import FPS

STEP = 0.02  # seconds between two steps of features
FARTHEST = 50  # steps (1 s) by which the sound is moved to either side
LEAD = 0.04  # seconds by which lips precede a sound that is in time
BLOCKS = 5  # of the clip; each is predicted from the others
RIDGE = 0.05  # of the features' variance
SLOW = 1.0  # seconds to either side whose mean is subtracted: poses and moods, not speech
CHANCES = 40  # turned sounds
LEAST = 2.5  # seconds by which a turned sound is moved at least
SHORTEST = 6.0  # seconds of lips, below which nothing is said
# Standard deviations above chance, from which lips and sound belong together. Of the sounds of
# other people 154 of 156 stay below, also at their best move; people's own reach 3.6 in 7 s and 4.4
# or more in 15 s.
BELONGS = 3.5
CERTAIN = 6.5  # such deviations count as certain
# A sound is said not to belong to the lips only if people's own sounds explain clearly more. The
# correlations of eleven people with their own sound, each at its best move, have this mean and
# standard deviation; those of a clip also vary by as much as chance does. Of 62 parts of 10 to 30 s
# of these people none lies as many standard deviations below; without any one person the limit
# changes by 0.03 at most. Of 156 swapped sounds these do: in 10 s 20 %, in 12 s 42 %, in 16 s 83 %,
# in 20 s 97 %, in 30 s all.
OWN_MEAN, OWN_SPREAD, AGAINST = 0.52, 0.10, 2.5
ENOUGH = 10.0  # seconds of lips, from which that was measured

UPPER, LOWER = [13, 82, 312, 81, 311], [14, 87, 317, 178, 402]  # MediaPipe's inner lips
CORNERS, EYES, JAW = (61, 291), (33, 263), (2, 152)


@dataclass(frozen=True)
class Offset:
    """seconds: by which the sound comes after the lips, in time if 0. confidence: 0 to 1.
    correlation of predicted and seen movements there. belongs: False if the sound explains less of
    the lips' movements than people's own sounds do, None if neither is certain."""

    seconds: float
    confidence: float
    correlation: float
    belongs: bool | None


def mouth_measures(meshes: Float64) -> Float64:
    """(F, 3) opening, width and drop of the jaw, in distances of the outer eye corners. meshes (F,
    478, 3); as distances in space they do not depend on the pose."""

    def apart(a: list[int] | int, b: list[int] | int) -> Float64:
        return np.linalg.norm(meshes[:, a] - meshes[:, b], axis=-1).astype(np.float64)

    lips = apart(UPPER, LOWER).mean(1)
    values = np.stack([lips, apart(*CORNERS), apart(*JAW)], 1)
    return values / np.maximum(apart(*EYES), 1e-6)[:, None]


def find_offset(measures: Float64, valid: NDArray[np.bool_], features: Float32) -> Offset:
    """measures (F, n) of the mouth at 25 a second. valid (F,): frames whose measures are seen, not
    guessed. features (T, D), 50 steps a second from the first frame's time on."""
    rows = np.flatnonzero(valid)
    if len(rows) < SHORTEST * FPS:
        return Offset(0.0, 0.0, 0.0, None)
    seen = _quick(measures, round(SLOW * FPS))[rows]
    spread = seen.std(0)
    seen = seen[:, spread > 1e-9] / spread[spread > 1e-9]
    heard = _quick(features.astype(np.float64), round(SLOW / STEP))
    heard = heard / np.maximum(heard.std(0), 1e-6)
    count = 2 * len(measures)
    heard = np.pad(heard, ((0, max(count - len(heard), 0)), (0, 0)))[:count]
    moves = np.arange(-FARTHEST, FARTHEST + 1)
    turns = np.linspace(LEAST / STEP, count - LEAST / STEP, CHANCES).astype(int)
    at = 2 * rows
    curve = np.array([predicted(heard[np.clip(at + k, 0, count - 1)], seen) for k in moves])
    chance = np.array([predicted(heard[(at + k) % count], seen) for k in turns])
    best = int(curve.argmax())
    deviations = (curve[best] - chance.mean()) / max(float(chance.std()), 1e-6)
    edge = best in (0, len(moves) - 1)  # the true place lies farther away, if anywhere
    sure = 0.0 if edge else float(np.clip((deviations - BELONGS) / (CERTAIN - BELONGS), 0, 1))
    return Offset(
        seconds=STEP * (moves[best] + _between(curve, best)) - LEAD,
        confidence=sure,
        correlation=float(curve[best]),
        belongs=belongs(float(curve[best]), chance, len(rows) / FPS),
    )


def belongs(correlation: float, chance: Float64, seconds: float) -> bool | None:
    """What the best correlation says, None if too little: True if chance (n,), the correlations of
    turned sounds, explains it badly, False if it is clearly less than people's own sounds give.
    seconds: of lips."""
    spread = float(chance.std())
    if correlation - chance.mean() >= BELONGS * max(spread, 1e-6):
        return True
    least = OWN_MEAN - AGAINST * float(np.hypot(OWN_SPREAD, spread))
    return False if seconds >= ENOUGH and correlation < least else None


def predicted(inputs: Float64, outputs: Float64) -> float:
    """Correlation of outputs (F, n) with their prediction from inputs (F, D), block by block from
    the other blocks."""
    edges = np.linspace(0, len(inputs), BLOCKS + 1).astype(int)
    parts = [slice(a, b) for a, b in pairwise(edges)]
    squares = np.stack([inputs[part].T @ inputs[part] for part in parts])
    products = np.stack([inputs[part].T @ outputs[part] for part in parts])
    ridge = RIDGE * len(inputs) * np.eye(inputs.shape[1])
    weights = np.linalg.solve(squares.sum(0) - squares + ridge, products.sum(0) - products)
    guess = np.concatenate([inputs[part] @ w for part, w in zip(parts, weights, strict=True)])
    size = np.sqrt((guess**2).sum() * (outputs**2).sum())
    return float((guess * outputs).sum() / max(float(size), 1e-12))


def _quick(values: Float64, reach: int) -> Float64:
    """(F, n) without their slow part: the mean over `reach` rows to either side."""
    sums = np.cumsum(np.pad(values, ((1, 0), (0, 0))), 0)
    rows = np.arange(len(values))
    low, high = np.maximum(rows - reach, 0), np.minimum(rows + reach + 1, len(values))
    return np.asarray(values - (sums[high] - sums[low]) / (high - low)[:, None])


def _between(curve: Float64, best: int) -> float:
    """Where between the steps the curve's top lies: that of a parabola, in steps from `best`."""
    if not 0 < best < len(curve) - 1:
        return 0.0
    before, top, after = curve[best - 1 : best + 2]
    return float((before - after) / (2 * (before - 2 * top + after)))
