"""The two detectors: logistic regression from the mean of some steps of the network's blocks, with
standardised inputs, then converted to raw ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..fit_phonetic.classes import SILENCE, STEP_SECONDS, Phoneme, shapes_of

Float64 = NDArray[np.float64]

NEAR_SPEECH = 0.4  # seconds; a pause between words is still speech
NEAR_CLOSING = 0.03
LONGEST_CLOSING = 0.25  # seconds; a longer one is a phoneme before a pause
ROUNDS = 12  # of Newton's method
LEAST = 1e-4  # of p (1 - p), so that a round is never singular
ENOUGH = 1e-3  # a change of the weights, as a share of the largest, that ends the rounds


def spoken(phonemes: Sequence[Phoneme], seconds: float, steps: int) -> NDArray[np.bool_]:
    """(steps,) whether somebody speaks there or nearly there."""
    found = np.zeros(steps, bool)
    for start, end, phoneme in _times(phonemes, seconds):
        if shapes_of(phoneme.name) != (SILENCE,):
            found |= _within(steps, start - NEAR_SPEECH, end + NEAR_SPEECH)
    return found


def closing(phonemes: Sequence[Phoneme], seconds: float, steps: int) -> NDArray[np.bool_]:
    """(steps,) whether m, b or p, in the spelling of any language, closes the lips there."""
    found = np.zeros(steps, bool)
    for start, end, phoneme in _times(phonemes, seconds):
        name = phoneme.name.lower().strip("_:0123456789#'`^\"")
        if name[:1] in ("m", "b", "p") and end - start < LONGEST_CLOSING:
            found |= _within(steps, start - NEAR_CLOSING, end + NEAR_CLOSING)
    return found


def averaged(steps: NDArray[np.floating], width: int) -> NDArray[np.float32]:
    """(T, D) of (T, D): row t is the mean of the `width` (even) rows from t - width / 2 on, the
    ends repeated."""
    padded = np.pad(steps, ((width // 2, width // 2), (0, 0)), mode="edge")
    total = np.cumsum(padded, axis=0, dtype=np.float64)
    total = np.concatenate([np.zeros_like(total[:1]), total])
    means = (total[width:] - total[:-width]) / width
    return means[: len(steps)].astype(np.float32)


def logistic(
    inputs: NDArray[np.float32], wanted: NDArray[np.bool_], weights: Float64, penalty: float
) -> tuple[Float64, float]:
    """Weights (D,) and bias of the logistic regression of wanted (T,) on inputs (T, D). weights
    (T,): what each row counts. The bias is free."""
    mean, deviation = inputs.mean(axis=0), inputs.std(axis=0) + 1e-3
    rows = np.ones((len(inputs), inputs.shape[1] + 1), np.float32)
    rows[:, :-1] = (inputs - mean) / deviation
    penalties = np.append(np.full(inputs.shape[1], penalty), 0.0)
    found = np.zeros(rows.shape[1])
    for _ in range(ROUNDS):
        chance = 1 / (1 + np.exp(-np.clip(rows @ found, -30, 30)))
        slope = rows.T @ (weights * (chance - wanted)) + penalties * found
        curve = (weights * np.maximum(chance * (1 - chance), LEAST)).astype(np.float32)
        matrix = (rows * curve[:, None]).T @ rows
        change = np.linalg.solve(matrix + np.diag(penalties), slope)
        found -= change
        if np.abs(change).max() < ENOUGH * np.abs(found).max():
            break
    raw = found[:-1] / deviation
    return raw, float(found[-1] - mean @ raw)


def _times(phonemes: Sequence[Phoneme], seconds: float) -> list[tuple[float, float, Phoneme]]:
    ends = [*(phoneme.start for phoneme in phonemes[1:]), seconds]
    return [(one.start, end, one) for one, end in zip(phonemes, ends, strict=True)]


def _within(steps: int, start: float, end: float) -> NDArray[np.bool_]:
    times = np.arange(steps) * STEP_SECONDS
    return np.asarray((times >= start) & (times < end))
