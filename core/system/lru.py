"""Values by key; the least recently used are dropped first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


def _one(_value: Any) -> int:
    return 1


class LRU(Generic[K, V]):
    """Keeps as many values as the budget allows. Not thread-safe: threads that share it must
    lock."""

    def __init__(
        self,
        budget: int,
        cost: Callable[[V], int] = _one,
        dropped: Callable[[K, V], None] | None = None,
        least: int = 0,
    ) -> None:
        """budget: the largest sum of costs; without `cost`, the largest number of values. dropped:
        called with each key and value that is removed, for whatever reason. least: this many values
        stay even if they exceed the budget."""
        self._values: OrderedDict[K, V] = OrderedDict()
        self._budget, self._cost, self._dropped, self._least = budget, cost, dropped, least
        self.total = 0  # the sum of costs
        self.version = 0  # changes whenever a value is added or removed

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, key: object) -> bool:
        return key in self._values

    def __iter__(self) -> Iterator[K]:
        """The keys, the least recently used first."""
        return iter(self._values)

    def get(self, key: K) -> V | None:
        """The value, marked as just used; None if there is none."""
        if key not in self._values:
            return None
        self._values.move_to_end(key)
        return self._values[key]

    def put(self, key: K, value: V) -> V:
        """Store the value and return it."""
        self.drop(key)
        self._values[key] = value
        self.total += self._cost(value)
        self.version += 1
        self._fit()
        return value

    def drop(self, key: K) -> None:
        """Does nothing if there is no such key."""
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
