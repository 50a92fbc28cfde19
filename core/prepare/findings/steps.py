"""Uneven steps from picture to picture: repeated pictures, and pictures missing at a fixed
interval, as in a film of 30 pictures a second that somebody made one of 25."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...records.arrays import Float64
from ..cuts import SAME

INTERVALS = range(2, 13)  # steps; converted films have 2 (60 to 30) to 6 (30 to 25 and back)
LEAST_ROUNDS = 10  # intervals in a film, below which nothing is said
SURE = 5.0  # standard deviations above chance by which one place has the longest step
# Of twelve clips four have such a place, with 1.5 to 2.3, all at every fifth step.
LONGER = 1.4


@dataclass(frozen=True)
class Steps:
    """repeated: % of the pictures that are the same as the one before. longer: how many times as
    much a picture changes at every `interval`th step as at the others; 1 and 0 if no interval shows
    that."""

    repeated: float
    longer: float = 1.0
    interval: int = 0


def steps_of(changes: Float64) -> Steps:
    """changes (K,): mean difference of successive pictures, grey levels."""
    repeated = 100 * float((changes < SAME).mean()) if len(changes) else 0.0
    best, found = SURE, Steps(repeated)
    for interval in INTERVALS:
        rounds = len(changes) // interval
        if rounds < LEAST_ROUNDS:
            break
        table = changes[: rounds * interval].reshape(rounds, interval)
        shares = np.bincount(table.argmax(1), minlength=interval) / rounds
        place, chance = int(shares.argmax()), 1 / interval
        sure = float((shares[place] - chance) / np.sqrt(chance * (1 - chance) / rounds))
        others = np.median(np.delete(table, place, 1), axis=1)
        longer = float(np.median(table[:, place] / np.maximum(others, SAME)))
        if sure >= best and longer >= LONGER:  # multiples and parts of the interval are less sure
            best, found = sure, Steps(repeated, longer, interval)
    return found
