"""The blink generator: a pure function of time, at the set rate, closing faster than opening."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from core.avatar.blinks import JITTER, SLOT, blink_at, blink_shape

ROOT = Path(__file__).parents[2]


def onsets(seed: int, per_minute: float, seconds: float, duration: float = 0.3) -> np.ndarray:
    """Seconds at which the lids begin to fall."""
    times = np.arange(0, seconds, 0.01)
    shut = np.array([blink_at(t, seed, per_minute, duration) for t in times]) > 0
    return times[1:][shut[1:] & ~shut[:-1]]


def test_the_rate_is_what_was_asked_for() -> None:
    for rate in (6, 15, 30):
        counts = [len(onsets(seed, rate, 300)) / 5 for seed in range(3)]
        assert np.mean(counts) == pytest.approx(rate, rel=0.2)
    assert len(onsets(1, 60, 30)) == pytest.approx(30, abs=1)
    assert len(onsets(1, 0, 30)) == 0


def test_seeds_differ_and_blinks_are_irregular_but_apart() -> None:
    first, second = onsets(1, 20, 200), onsets(2, 20, 200)
    assert len(np.intersect1d(first.round(1), second.round(1))) < len(first) / 2
    gaps = np.diff(first)
    assert gaps.std() > 0.5
    assert gaps.min() > SLOT * JITTER - 0.02


def test_a_higher_rate_moves_no_blink() -> None:
    few, many = onsets(3, 10, 100), onsets(3, 20, 100)
    assert set(few.round(2)) <= set(many.round(2))


def test_frames_of_any_rate_and_order_see_the_same_function() -> None:
    forward = {n: blink_at(n / 25, 7, 20, 0.3) for n in range(-100, 500)}
    assert any(forward[n] for n in range(-100, 0))
    for n in reversed(range(-100, 500)):
        assert blink_at((2 * n) / 50, 7, 20, 0.3) == forward[n]


def test_another_process_sees_the_same_bits() -> None:
    code = (
        "import json; from core.avatar.blinks import blink_at;"
        "print(json.dumps([blink_at(n / 30, 5, 20, 0.25).hex() for n in range(300)]))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    here = [blink_at(n / 30, 5, 20, 0.25).hex() for n in range(300)]
    assert json.loads(run.stdout) == here
    assert any(float.fromhex(v) > 0.5 for v in here)


def test_lids_fall_faster_than_they_rise() -> None:
    parts = np.linspace(0, 1, 1001)
    shape = np.array([blink_shape(p) for p in parts])
    shut = np.flatnonzero(shape == 1)
    assert shape[0] == shape[-1] == 0 and len(shut)
    assert (np.diff(shape[: shut[0]]) > 0).all() and (np.diff(shape[shut[-1] :]) < 0).all()
    assert shut[0] < 0.5 * (1000 - shut[-1])
    assert np.abs(np.diff(shape)).max() < 0.01  # nothing jumps


def test_a_whole_second_is_the_longest_blink_and_nothing_is_cut() -> None:
    times = np.arange(0, 60, 0.005)
    closure = np.array([blink_at(t, 1, 30, 5.0) for t in times])
    assert np.abs(np.diff(closure)).max() < 0.05


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_no_time_no_blink(bad: float) -> None:
    assert blink_at(bad, 1, 60, 0.3) == 0.0
    assert blink_at(1.2, 1, 60, 0.0) == 0.0
