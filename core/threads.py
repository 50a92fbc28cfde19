"""Threads for code that lets go of Python's lock: numpy's products, numba, zlib."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

Item = TypeVar("Item")


def for_each(work: Callable[[Item], object], items: Iterable[Item], threads: int) -> None:
    """work(item) for every item, on the calling thread and up to threads - 1 others, each taking
    the next item when it is free. Items must not share what they write; then the result does not
    depend on the threads. Raises what `work` raises, after the others have ended."""
    waiting = deque(items)
    helpers = min(threads, len(waiting)) - 1

    def take() -> None:
        while True:
            try:
                item = waiting.popleft()
            except IndexError:
                return
            try:
                work(item)
            except BaseException:
                waiting.clear()
                raise

    futures = [_pool(threads).submit(take) for _ in range(helpers)] if helpers > 0 else []
    try:
        take()
    finally:
        # A helper that a busy pool has not begun is not waited for: nothing is left for it.
        running = [future for future in futures if not future.cancel()]
        failures = [error for future in running if (error := future.exception())]
    if failures:
        raise failures[0]


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    """Kept: starting threads costs a tenth of a millisecond each, and they keep their memory."""
    return ThreadPoolExecutor(threads, thread_name_prefix="egstalker")
