"""A cache of decoded frames, bounded by bytes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from ..system.lru import LRU

Value = TypeVar("Value")


class ByteCache(Generic[Value]):
    """The most recently used values, by number, up to `limit` bytes. Thread-safe: two threads that
    need the same missing value both compute it, and neither waits."""

    def __init__(self, limit: int, size: Callable[[Value], int]) -> None:
        self._kept: LRU[int, Value] = LRU(limit, cost=size)
        self._lock = threading.Lock()

    def get(self, key: int, make: Callable[[int], Value]) -> Value:
        with self._lock:
            found = self._kept.get(key)
        if found is not None:
            return found
        value = make(key)
        with self._lock:
            return self._kept.put(key, value)
