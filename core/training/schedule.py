"""The duration of each training stage: a number of steps, or a share of the minutes."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

STATIC, LIPS, MOTION, BODY = "static", "lips", "motion", "body"
SHARES = {STATIC: 0.15, LIPS: 0.1, MOTION: 0.75, BODY: 0.1}


@dataclass
class Clock:
    """Seconds spent on each activity, saved with the state: the stages, "setup", "saving" and
    "looking" (previews), which count towards no stage."""

    seconds: dict[str, float] = field(default_factory=dict)
    _since: float = field(default_factory=time.monotonic)

    def tick(self, what: str) -> None:
        """Add the time since the last tick to `what`."""
        now = time.monotonic()
        self.seconds[what] = self.seconds.get(what, 0.0) + now - self._since
        self._since = now

    def of(self, what: str) -> float:
        return self.seconds.get(what, 0.0)

    def total(self) -> float:
        return sum(self.seconds.values())


@dataclass(frozen=True)
class StagePlan:
    """One stage: `steps`, or as many as fit into `limit` seconds. most: steps at which it ends even
    if time is left; the lips stage would overfit."""

    name: str
    steps: int
    limit: float | None
    most: float = math.inf

    def progress(self, step: int, spent: float) -> float:
        """0 at the beginning, 1 at the end, after `step` steps in `spent` seconds."""
        if self.limit is None:
            return step / max(self.steps, 1)
        return max(spent / self.limit, step / self.most)

    def expected(self, step: int, spent: float) -> tuple[int, float]:
        """(total steps, seconds left), estimated from the mean duration of the steps so far."""
        each = spent / max(step, 1)
        if self.limit is None:
            return self.steps, max(each * (self.steps - step), 0.0)
        steps = min(max(step, round(self.limit / max(each, 1e-6))), self.most)
        return int(steps), max(min(self.limit - spent, each * (self.most - step)), 0.0)


def plan_stage(
    name: str, names: Sequence[str], steps: int, minutes: float | None, clock: Clock
) -> StagePlan:
    """The plan of the stage `name` of `names`. minutes: for the whole training; the stage receives
    its share of the time that is left."""
    if minutes is None:
        return StagePlan(name, steps, None)
    others = clock.total() - clock.of(name)
    left = max(minutes * 60 - others, 1.0)
    rest = sum(SHARES[other] for other in names[names.index(name) :])
    most = steps if name == LIPS else math.inf
    return StagePlan(name, steps, left * SHARES[name] / rest, most)
