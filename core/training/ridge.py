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
    """inputs (R, N) and wanted (R,): one row a frame. more_inputs (M, N), more_wanted (M,): rows
    that belong to no frame and are in every fit, each with `weight` of a frame."""

    inputs: Float64
    wanted: Float64
    more_inputs: Float64
    more_wanted: Float64
    weight: float


def ridge(
    samples: Penalised, penalty: float, used: NDArray[np.bool_] | None = None
) -> tuple[Float64, float]:
    """weights (N,) and bias. The bias is not penalised. used (R,): the frames to fit."""
    inputs, wanted = samples.inputs, samples.wanted
    if used is not None:
        inputs, wanted = inputs[used], wanted[used]
    weights = np.concatenate(
        [np.ones(len(wanted)), np.full(len(samples.more_wanted), samples.weight)]
    )
    inputs = np.concatenate([inputs, samples.more_inputs])
    wanted = np.concatenate([wanted, samples.more_wanted])
    mean = weights @ inputs / weights.sum()
    middle = float(weights @ wanted / weights.sum())
    inputs = inputs - mean
    weighted = inputs * weights[:, None]
    normal = weighted.T @ inputs + penalty * np.eye(inputs.shape[1])
    solution = np.linalg.solve(normal, weighted.T @ (wanted - middle))
    return solution, middle - float(mean @ solution)


def best_penalty(samples: Penalised, rows: NDArray[np.int64]) -> tuple[float, Float64]:
    """The one of PENALTIES with the smallest squared error on frames that it did not see, and its
    predictions (R,) for them: each of BLOCKS parts of the film from the others. rows (R,): the
    frames' numbers, ascending."""
    best, least, found = PENALTIES[0], np.inf, samples.wanted
    for penalty in PENALTIES:
        unseen = np.empty(len(rows))
        for block in np.array_split(np.arange(len(rows)), BLOCKS):
            first, last = rows[block[0]] - BETWEEN, rows[block[-1]] + BETWEEN
            weights, bias = ridge(samples, penalty, (rows < first) | (rows > last))
            unseen[block] = samples.inputs[block] @ weights + bias
        error = float(((unseen - samples.wanted) ** 2).mean())
        if error < least:
            best, least, found = penalty, error, unseen
    return best, found
