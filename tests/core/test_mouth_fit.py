"""The regression behind the numbers of the mouth: one penalty, one share of the network's blocks,
both chosen on unseen frames."""

from __future__ import annotations

import numpy as np
import pytest

from core.training import mouth_regression
from core.training.mouth_layers import PARTS, WINDOW_PARTS
from core.training.mouth_regression import Inputs, regressions
from core.training.ridge import Penalised, ridge

ROWS = np.arange(240)
FEATURES, BLOCKS = 24, 90


def inputs(seed: int) -> tuple[Inputs, Inputs]:
    rng = np.random.default_rng(seed)
    features, blocks = (
        Inputs(rng.normal(size=(len(ROWS), width)), 0.01 * rng.normal(size=(40, width)))
        for width in (FEATURES, BLOCKS)
    )
    return features, blocks


def correlation(guess: np.ndarray, number: np.ndarray) -> float:
    return float(np.corrcoef(guess, number)[0, 1])


def test_the_blocks_are_used_where_they_know_more() -> None:
    features, blocks = inputs(0)
    number = blocks.frames[:, :3].sum(axis=1) / np.sqrt(3)
    alone, both = (
        regressions(features, given, number[:, None], ROWS)[0] for given in (None, blocks)
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
    found = regressions(features, blocks, number[:, None], ROWS)[0]
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
        monkeypatch.setattr(mouth_regression, "REST_WEIGHT", weight)
        found = regressions(Inputs(features.frames, resting), None, gap[:, None], ROWS)[0]
        away.append(abs(float((resting @ found.weights + found.bias).mean()) - closed))
    assert away[1] < 0.5 * away[0]


def test_the_middle_of_the_window_alone_is_used_if_nothing_else_is_known() -> None:
    """With little film, what the other parts seem to know is chance."""
    width = 20
    rng = np.random.default_rng(4)
    rows = np.arange(150)
    features, resting = (rng.normal(size=(n, WINDOW_PARTS, width)) for n in (len(rows), 40))
    inputs = Inputs(features.reshape(len(rows), -1), 0.01 * resting.reshape(40, -1))
    middle, far = (
        features[:, part].sum(axis=1) / np.sqrt(width) + 0.3 * rng.normal(size=len(rows))
        for part in (PARTS[0], 0)
    )
    used = [
        regressions(inputs, None, number[:, None], rows)[0].weights.reshape(WINDOW_PARTS, -1)
        for number in (middle, far)
    ]
    assert used[0].any(axis=1).nonzero()[0].tolist() == list(PARTS)
    assert used[1].any(axis=1).all()


def test_frames_that_will_be_shut_do_not_move_the_map() -> None:
    features, _ = inputs(5)
    gap = features.frames[:, 0].copy()
    shut = np.zeros(len(ROWS))
    shut[::5] = 1.0
    gap[::5] = gap.min() - 1.0
    plain, drawn = (
        regressions(features, None, gap[:, None], ROWS, share)[0] for share in (None, shut)
    )
    closed = gap[np.argsort(gap)[:24]].mean()
    for found, least in ((plain, 0.5), (drawn, 0.0)):
        shown = features.frames @ found.weights + found.bias
        error = np.sqrt((((1 - shut) * shown + shut * closed - gap) ** 2).mean())
        assert error > least
    assert error < 0.2


def test_what_the_sound_hardly_tells_moves_less_than_the_gap() -> None:
    features, _ = inputs(6)
    rng = np.random.default_rng(6)
    half = 0.6 * features.frames[:, 0] + 0.8 * rng.normal(size=len(ROWS))
    gap, other = regressions(features, None, np.column_stack([half, half]), ROWS)
    assert gap.guess.std() == pytest.approx(half.std(), rel=0.02)
    assert 0.6 * half.std() < other.guess.std() < 0.9 * half.std()


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
