"""How a training's time is shared out: by steps, or by a limit in minutes."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

STATIC, LIPS, MOTION = "static", "lips", "motion"
SHARES = {STATIC: 0.15, LIPS: 0.1, MOTION: 0.75}


@dataclass
class Clock:
    """Seconds spent on each thing, kept over interruptions. Looking and saving count for none of
    the stages."""

    seconds: dict[str, float] = field(default_factory=dict)
    _since: float = field(default_factory=time.monotonic)

    def tick(self, what: str) -> None:
        """What has passed since the last tick was spent on `what`."""
        now = time.monotonic()
        self.seconds[what] = self.seconds.get(what, 0.0) + now - self._since
        self._since = now

    def of(self, what: str) -> float:
        return self.seconds.get(what, 0.0)

    def total(self) -> float:
        return sum(self.seconds.values())


@dataclass(frozen=True)
class Plan:
    """One stage: so many steps, or as many as go into `limit` seconds. most: steps at which it ends
    even so; the lips stage would only learn its clip by heart."""

    name: str
    steps: int
    limit: float | None
    most: float = math.inf

    def progress(self, step: int, spent: float) -> float:
        """0 at the beginning, 1 at the end. `step` done so far, in `spent` seconds."""
        if self.limit is None:
            return step / max(self.steps, 1)
        return max(spent / self.limit, step / self.most)

    def expected(self, step: int, spent: float) -> tuple[int, float]:
        """(steps in all, seconds left), by what the steps took so far."""
        each = spent / max(step, 1)
        if self.limit is None:
            return self.steps, max(each * (self.steps - step), 0.0)
        steps = min(max(step, round(self.limit / max(each, 1e-6))), self.most)
        return int(steps), max(min(self.limit - spent, each * (self.most - step)), 0.0)


def plan(name: str, names: Sequence[str], steps: int, minutes: float | None, clock: Clock) -> Plan:
    """The stage `name` of `names`. minutes: for everything; the stage takes its share of what the
    others have left over."""
    if minutes is None:
        return Plan(name, steps, None)
    others = clock.total() - clock.of(name)
    left = max(minutes * 60 - others, 1.0)
    rest = sum(SHARES[other] for other in names[names.index(name) :])
    most = steps if name == LIPS else math.inf
    return Plan(name, steps, left * SHARES[name] / rest, most)
