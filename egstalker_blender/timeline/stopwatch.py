"""How long the timeline keeps Blender's main thread busy, for benchmarks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Stopwatch:
    """clock: returns seconds. longest: seconds of the longest measurement of each cause."""

    clock: Callable[[], float] = time.perf_counter
    longest: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def measure(self, cause: str) -> Iterator[None]:
        start = self.clock()
        try:
            yield
        finally:
            seconds = self.clock() - start
            self.longest[cause] = max(seconds, self.longest.get(cause, 0.0))

    def reset(self) -> None:
        self.longest.clear()


stopwatch = Stopwatch()
