"""The regression behind the numbers of the mouth: one penalty, one share of the network's blocks,
both chosen on unseen frames."""

from __future__ import annotations

import numpy as np
import pytest

from core.training import mouth_fit
from core.training.mouth_fit import _Inputs, _regressions
from core.training.mouth_layers import PARTS
from core.training.ridge import Penalised, ridge

ROWS = np.arange(240)
FEATURES, BLOCKS = 24, 90


def inputs(seed: int) -> tuple[_Inputs, _Inputs]:
    rng = np.random.default_rng(seed)
    features, blocks = (
        _Inputs(rng.normal(size=(len(ROWS), width)), 0.01 * rng.normal(size=(40, width)))
        for width in (FEATURES, BLOCKS)
    )
    return features, blocks


def correlation(guess: np.ndarray, number: np.ndarray) -> float:
    return float(np.corrcoef(guess, number)[0, 1])


def test_the_blocks_are_used_where_they_know_more() -> None:
    features, blocks = inputs(0)
    number = blocks.frames[:, :3].sum(axis=1) / np.sqrt(3)
    alone, both = (
        _regressions(features, given, number[:, None], ROWS)[0] for given in (None, blocks)
    )
    assert abs(correlation(alone.guess, number)) < 0.3 and alone.blocks is None
    assert correlation(both.guess, number) > 0.9 and both.blocks is not None
    assert both.blocks.shape == (len(PARTS), BLOCKS // len(PARTS))
    guess = features.frames @ both.weights + blocks.frames @ both.blocks.ravel() + both.bias
    assert np.corrcoef(guess, number)[0, 1] > 0.95
    assert guess.std() == pytest.approx(number.std(), rel=0.2)


def test_the_blocks_are_left_where_the_features_know_all() -> None:
    features, blocks = inputs(1)
    number = features.frames[:, :3].sum(axis=1) / np.sqrt(3)
    found = _regressions(features, blocks, number[:, None], ROWS)[0]
    assert found.blocks is None and correlation(found.guess, number) > 0.95


def test_sounds_at_rest_draw_the_mouth_to_the_shape_of_the_smallest_gaps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    features, _ = inputs(2)
    gap = features.frames[:, 0]
    closed = gap[np.argsort(gap)[:24]].mean()
    resting = features.resting + 3.0  # unlike every frame; without them it opens the mouth wide
    away = []
    for weight in (0.0, 0.05):
        monkeypatch.setattr(mouth_fit, "REST_WEIGHT", weight)
        found = _regressions(_Inputs(features.frames, resting), None, gap[:, None], ROWS)[0]
        away.append(abs(float((resting @ found.weights + found.bias).mean()) - closed))
    assert away[1] < 0.5 * away[0]


def test_fewer_rows_than_inputs_have_the_same_solution() -> None:
    rng = np.random.default_rng(3)
    frames, more = rng.normal(size=(20, 50)), rng.normal(size=(6, 50))
    wanted, at_rest = rng.normal(size=(20, 2)), rng.normal(size=(6, 2))
    samples = Penalised(frames, wanted, more, at_rest, 0.7)
    weights, bias = ridge(samples, 5.0)
    row_weights = np.r_[np.ones(20), np.full(6, 0.7)]
    everything = np.concatenate([frames, more])
    error = everything @ weights + bias - np.concatenate([wanted, at_rest])
    # At the minimum of the weighted squared error plus the penalty, its gradient is 0.
    gradient = everything.T @ (row_weights[:, None] * error) + 5.0 * weights
    np.testing.assert_allclose(gradient, 0, atol=1e-9)
    np.testing.assert_allclose(row_weights @ error, 0, atol=1e-9)
