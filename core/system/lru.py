"""Values by key, the least recently used leave first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


def _one(_value: Any) -> int:
    return 1


class LRU(Generic[K, V]):
    """As many values as the budget allows. For one thread at a time: whoever shares it locks."""

    def __init__(
        self,
        budget: int,
        cost: Callable[[V], int] = _one,
        dropped: Callable[[K, V], None] | None = None,
        least: int = 0,
    ) -> None:
        """budget: the largest sum of costs; without `cost` it is the number of values. dropped: is
        called with each key and value that leaves, whatever the reason. least: so many values stay
        even where they are beyond the budget."""
        self._values: OrderedDict[K, V] = OrderedDict()
        self._budget, self._cost, self._dropped, self._least = budget, cost, dropped, least
        self.total = 0  # the sum of costs
        self.version = 0  # another number whenever a value came or left

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, key: object) -> bool:
        return key in self._values

    def __iter__(self) -> Iterator[K]:
        """The keys, the least recently used first."""
        return iter(self._values)

    def get(self, key: K) -> V | None:
        """The value, which counts as used now; None where there is none."""
        if key not in self._values:
            return None
        self._values.move_to_end(key)
        return self._values[key]

    def put(self, key: K, value: V) -> V:
        """The value itself, so that a caller can go on with it."""
        self.drop(key)
        self._values[key] = value
        self.total += self._cost(value)
        self.version += 1
        self._fit()
        return value

    def drop(self, key: K) -> None:
        """Nothing where there is no such key."""
        if key not in self._values:
            return
        value = self._values.pop(key)
        self.total -= self._cost(value)
        self.version += 1
        if self._dropped is not None:
            self._dropped(key, value)

    def clear(self) -> None:
        for key in list(self._values):
            self.drop(key)
        self.version += 1

    def set_budget(self, budget: int) -> None:
        self._budget = budget
        self._fit()

    def _fit(self) -> None:
        while self.total > self._budget and len(self._values) > self._least:
            self.drop(next(iter(self._values)))
