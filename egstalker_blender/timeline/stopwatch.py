"""How long Blender's main thread was busy with the timeline, by cause."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Stopwatch:
    """For each cause: the longest time and the sum, in seconds, and how often it occurred."""

    longest: dict[str, float] = field(default_factory=dict)
    total: dict[str, float] = field(default_factory=dict)
    count: dict[str, int] = field(default_factory=dict)

    @contextmanager
    def measure(self, cause: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            seconds = time.perf_counter() - start
            self.longest[cause] = max(seconds, self.longest.get(cause, 0.0))
            self.total[cause] = self.total.get(cause, 0.0) + seconds
            self.count[cause] = self.count.get(cause, 0) + 1

    def reset(self) -> None:
        for values in (self.longest, self.total, self.count):
            values.clear()


stopwatch = Stopwatch()
