"""Ridge regression whose penalty is chosen on parts of a film that it did not see."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..records.arrays import Float64

PENALTIES = (10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0, 10000.0)
BLOCKS = 5
# Rows on both sides of a block that are not used for it: neighbours share most of their sound.
BETWEEN = 12


@dataclass(frozen=True, eq=False)
class Penalised:
    """inputs (R, N) and wanted (R,) or, for M regressions of the same inputs, (R, M): one row a
    frame. more_inputs (S, N), more_wanted (S,) or (S, M): rows that belong to no frame and are in
    every fit, each with `weight` of a frame. of_frames (R,): what each frame counts; None: 1."""

    inputs: Float64
    wanted: Float64
    more_inputs: Float64
    more_wanted: Float64
    weight: float
    of_frames: Float64 | None = None


def ridge(
    samples: Penalised, penalty: float, used: NDArray[np.bool_] | None = None
) -> tuple[Float64, Float64]:
    """weights (N,) or (N, M) and bias () or (M,). The bias is not penalised. used (R,): the frames
    to fit."""
    return _Normal(samples, used).solution(penalty)


def unseen(samples: Penalised, rows: NDArray[np.int64]) -> Float64:
    """(PENALTIES, R) or (PENALTIES, R, M): with each penalty, the predictions for each of BLOCKS
    parts of the film from the others. rows (R,): the frames' numbers, ascending."""
    found = np.empty((len(PENALTIES), *samples.wanted.shape))
    for block in blocks_of(len(rows)):
        first, last = rows[block[0]] - BETWEEN, rows[block[-1]] + BETWEEN
        normal = _Normal(samples, (rows < first) | (rows > last))
        for number, penalty in enumerate(PENALTIES):
            weights, bias = normal.solution(penalty)
            found[number, block] = samples.inputs[block] @ weights + bias
    return found


def blocks_of(count: int) -> list[NDArray[np.int64]]:
    """The frames of each of the BLOCKS parts of a film."""
    return np.array_split(np.arange(count), BLOCKS)


class _Normal:
    """The normal equations of some frames and all other rows; each penalty is one solution. With
    fewer rows than inputs, the smaller equations of the rows have the same solution."""

    def __init__(self, samples: Penalised, used: NDArray[np.bool_] | None) -> None:
        inputs, wanted, counts = samples.inputs, samples.wanted, samples.of_frames
        counts = np.ones(len(wanted)) if counts is None else counts
        if used is not None:
            inputs, wanted, counts = inputs[used], wanted[used], counts[used]
        weights = np.concatenate([counts, np.full(len(samples.more_wanted), samples.weight)])
        inputs = np.concatenate([inputs, samples.more_inputs])
        wanted = np.concatenate([wanted, samples.more_wanted])
        self._mean = weights @ inputs / weights.sum()
        self._middle = weights @ wanted / weights.sum()
        roots = np.sqrt(weights)
        inputs = roots[:, None] * (inputs - self._mean)
        right = (roots * (wanted - self._middle).T).T
        self._across = inputs if len(inputs) < inputs.shape[1] else None
        self._matrix = inputs @ inputs.T if self._across is not None else inputs.T @ inputs
        self._right = right if self._across is not None else inputs.T @ right

    def solution(self, penalty: float) -> tuple[Float64, Float64]:
        matrix = self._matrix + penalty * np.eye(len(self._matrix))
        weights = np.linalg.solve(matrix, self._right)
        if self._across is not None:
            weights = self._across.T @ weights
        return weights, np.asarray(self._middle - self._mean @ weights)
