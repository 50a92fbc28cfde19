"""A wall clock that jumps, in this process."""

from __future__ import annotations

import random
import time

YEAR = 365 * 86400.0


def start_jumping(seed: float) -> None:
    """From now on time.time is wrong by up to ten years, by another amount at every tenth call or
    so. The monotonic clock stays, as on a computer whose date is set."""
    rng, true, offset = random.Random(seed), time.time, [0.0]

    def wrong() -> float:
        if rng.random() < 0.1:
            offset[0] = rng.uniform(-10, 10) * YEAR
        return true() + offset[0]

    time.time = wrong
