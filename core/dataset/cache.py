"""A cache of decoded frames, bounded by bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class ByteCache(Generic[Value]):
    """The most recently used values, by number, up to `limit` bytes. Safe for several threads; two
    that need the same missing value at once both make it, and neither waits."""

    def __init__(self, limit: int, size: Callable[[Value], int]) -> None:
        self._limit, self._size = limit, size
        self._kept: OrderedDict[int, Value] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, key: int, make: Callable[[int], Value]) -> Value:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        value = make(key)
        with self._lock:
            if key not in self._kept:
                self._kept[key] = value
                self._bytes += self._size(value)
            while self._bytes > self._limit and self._kept:
                _, old = self._kept.popitem(last=False)
                self._bytes -= self._size(old)
        return value
