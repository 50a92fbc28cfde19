"""The readout: ridge regression from the network's layers, with steps to either side, to classes.

Inputs are standardised, so that the penalty weighs all of them alike; the readout is then converted
to raw inputs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]

PENALTY = 3000.0  # of the shipped readout; small against the 135,790 steps that it is fitted to
LEAST_DEVIATION = 1e-3  # added to every deviation, for values that never move


def around(values: Float32, steps: int) -> Float32:
    """(T, (2 steps + 1) D) of (T, D): each row with its neighbours, the ends repeated."""
    padded = np.pad(values, ((steps, steps), (0, 0)), mode="edge")
    return np.concatenate([padded[k : k + len(values)] for k in range(2 * steps + 1)], 1)


def moments(parts: Iterable[NDArray[np.floating]]) -> tuple[Float32, Float32]:
    """Mean and deviation (D,) over all rows of the (T, D) parts."""
    count, total, squares = 0, np.zeros(1), np.zeros(1)
    for part in parts:
        values = part.astype(np.float64)
        count += len(values)
        total = total + values.sum(0)
        squares = squares + (values**2).sum(0)
    mean = total / count
    deviation = np.sqrt(np.maximum(squares / count - mean**2, 0)) + LEAST_DEVIATION
    return mean.astype(np.float32), deviation.astype(np.float32)


def ridge(
    inputs: Sequence[NDArray[np.floating]],
    targets: Sequence[Float32],
    steps: int,
    penalty: float = PENALTY,
) -> tuple[Float32, Float32]:
    """Weight (C, (2 steps + 1) D) and bias (C,), so that around(x, steps) @ weight.T + bias is
    close to y, for inputs x (T, D) and targets y (T, C) of each passage. The bias is free."""
    mean, deviation = moments(inputs)
    width = (2 * steps + 1) * len(mean) + 1
    gram, products = np.zeros((width, width)), np.zeros((width, targets[0].shape[1]))
    for x, y in zip(inputs, targets, strict=True):
        rows = around((x.astype(np.float32) - mean) / deviation, steps)
        rows = np.concatenate([rows, np.ones((len(rows), 1), np.float32)], 1)
        gram += rows.T @ rows
        products += rows.T @ y
    weighed = np.append(np.full(width - 1, penalty), 0)
    solution = np.linalg.solve(gram + np.diag(weighed), products)
    weight = solution[:-1] / np.tile(deviation, 2 * steps + 1)[:, None]
    bias = solution[-1] - np.tile(mean, 2 * steps + 1) @ weight
    return weight.T.astype(np.float32).copy(), bias.astype(np.float32)
