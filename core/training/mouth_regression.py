"""Ridge regressions from a window of features, and the network's blocks, to numbers of the mouth.
What they take is chosen by their error on parts of the film that they did not see."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..records.arrays import Float64
from .mouth_layers import PARTS, WINDOW_PARTS
from .mouth_shut import closed_shape
from .ridge import PENALTIES, Penalised, blocks_of, ridge, unseen

# A regression predicts too little movement. The first number, the gap, gets back the spread that it
# has in the film, the others half of what is missing; both as far as this factor: a number that the
# sound hardly explains would be noise.
MAX_FACTOR = 2.5
# Weight of the sounds at rest, as a share of that of the frames.
REST_WEIGHT = 0.05
# What a deviation of a block's value weighs beside one of a feature: the penalty of the blocks is
# this much weaker, squared. 0: features alone.
SCALES = (0.0, 0.1, 0.3, 1.0)
LEAST = 1e-3  # of a number that is left to the regression, where the rest is shut


@dataclass(frozen=True, eq=False)
class Inputs:
    """Of the frames (R, N) and of the sounds at rest (S, N)."""

    frames: Float64
    resting: Float64

    def at(self, columns: NDArray[np.int64]) -> Inputs:
        return Inputs(self.frames[:, columns], self.resting[:, columns])

    def joined(self, other: Inputs | None, scale: float) -> Inputs:
        if other is None or not scale:
            return self
        return Inputs(
            np.concatenate([self.frames, scale * other.frames], 1),
            np.concatenate([self.resting, scale * other.resting], 1),
        )


@dataclass(frozen=True, eq=False)
class Found:
    """Of one number: weights of the features (WINDOW_PARTS * D,) and of the blocks (PARTS, LAYERS),
    None if they do not help. guess (R,): of the frames, from a map that did not see them."""

    weights: Float64
    blocks: Float64 | None
    bias: float
    guess: Float64


@dataclass(frozen=True, eq=False)
class _Fit:
    """The regressions from these columns of the features and the blocks times `scale`. predicted
    (PENALTIES, R, M + 1): of unseen frames."""

    columns: NDArray[np.int64]
    scale: float
    samples: Penalised
    predicted: Float64


@dataclass(frozen=True, eq=False)
class _Choice:
    """Of one number. errors, guess (R,): squared, of the unseen frames as they would be shown; and
    what the map gives for them, before `factor`."""

    fit: _Fit
    penalty: int
    factor: float
    errors: Float64
    guess: Float64

    def is_better(self, other: _Choice) -> bool:
        """In each part of the film: a smaller mean error could be chance."""
        parts = blocks_of(len(self.errors))
        return all(self.errors[part].mean() < other.errors[part].mean() for part in parts)


def regressions(
    features: Inputs,
    blocks: Inputs | None,
    numbers: Float64,
    rows: NDArray[np.int64],
    drawn: Float64 | None = None,
) -> list[Found]:
    """One for each of the numbers (R, M), the gap first, of the frames `rows`. drawn (R,): how far
    each frame's numbers will be drawn to the closed mouth; a map then gives what is best after
    that, and is not asked where nothing of it is left.

    All share their inputs: the last column of what is wanted says where the mouth rests, so that
    the place of rest can be chosen afterwards."""
    drawn = np.zeros(len(rows)) if drawn is None else drawn
    left, closed = np.maximum(1 - drawn, LEAST), closed_shape(numbers)
    wanted = (numbers - drawn[:, None] * closed) / left[:, None]
    wanted = np.column_stack([wanted, np.zeros(len(rows))])
    count = len(features.resting)
    at_rest = np.column_stack([np.zeros((count, numbers.shape[1])), np.ones(count)])
    each = REST_WEIGHT * len(rows) / max(count, 1)

    def fitted(columns: NDArray[np.int64], scale: float) -> _Fit:
        inputs = features.at(columns).joined(blocks, scale)
        samples = Penalised(inputs.frames, wanted, inputs.resting, at_rest, each, left**2)
        return _Fit(columns, scale, samples, unseen(samples, rows))

    every = np.arange(features.frames.shape[1])
    middle = every.reshape(WINDOW_PARTS, -1)[list(PARTS)].ravel()
    whole = [fitted(every, scale) for scale in (SCALES if blocks is not None else SCALES[:1])]
    narrow: dict[float, _Fit] = {}
    out = []
    for number, (values, rest) in enumerate(zip(numbers.T, closed, strict=True)):
        best = _best(whole, number, values, rest, left)
        if best.fit.scale not in narrow:
            narrow[best.fit.scale] = fitted(middle, best.fit.scale)
        other = _best([narrow[best.fit.scale]], number, values, rest, left)
        out.append(_found(other if other.is_better(best) else best, number, rest, len(every)))
    return out


def _best(fits: list[_Fit], number: int, values: Float64, rest: float, left: Float64) -> _Choice:
    """values (R,): measured. rest: of this number. left (R,): of the map's number after drawing."""

    def tried(fit: _Fit, factor: float) -> _Choice:
        guesses = fit.predicted[..., number] + rest / factor * fit.predicted[..., -1]
        shown = left * guesses + (1 - left) * rest
        errors = (shown - values) ** 2
        penalty = int(errors.mean(axis=1).argmin())
        factor = _factor(shown[penalty], values, gap=number == 0)
        return _Choice(fit, penalty, factor, errors[penalty], guesses[penalty])

    factor = 1.0
    for _ in range(2):  # the second time with a rest that the factor brings to its place
        best = min((tried(fit, factor) for fit in fits), key=lambda one: one.errors.mean())
        factor = best.factor
    return best


def _factor(shown: Float64, values: Float64, gap: bool) -> float:
    """By which a number that would be shown (R,) gets back its spread."""
    wanted = 1.0 if gap else (1 + _correlation(shown, values)) / 2
    return min(wanted * float(values.std()) / max(float(shown.std()), 1e-6), MAX_FACTOR)


def _correlation(one: Float64, other: Float64) -> float:
    """At least 0; 0 if one does not change."""
    if not one.std() > 0:
        return 0.0
    return max(float(np.corrcoef(one, other)[0, 1]), 0.0)


def _found(choice: _Choice, number: int, rest: float, width: int) -> Found:
    fit, factor = choice.fit, choice.factor
    both, biases = ridge(fit.samples, PENALTIES[choice.penalty])
    weights = factor * (both[:, number] + rest / factor * both[:, -1])
    bias = factor * float(biases[number] + rest / factor * biases[-1])
    own = np.zeros(width)
    own[fit.columns] = weights[: len(fit.columns)]
    read = fit.scale * weights[len(fit.columns) :].reshape(len(PARTS), -1) if fit.scale else None
    return Found(own, read, bias, factor * choice.guess)
