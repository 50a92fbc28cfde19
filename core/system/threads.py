"""Threads for code that releases the GIL: numpy's products, numba, zlib."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_present = threading.local()  # .alone: a thread of `in_order`, which starts no others


def for_each(work: Callable[[Item], object], items: Iterable[Item], threads: int) -> None:
    """work(item) for every item, on the calling thread and up to threads - 1 others, each taking
    the next item when it is free. Items must not share what they write; then the result does not
    depend on the threads. Raises what `work` raises, after the others have ended."""
    threads = 1 if getattr(_present, "alone", False) else threads
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
        # A helper that a busy pool has not started is cancelled: nothing is left to do.
        running = [future for future in futures if not future.cancel()]
        failures = [error for future in running if (error := future.exception())]
    if failures:
        raise failures[0]


def in_order(
    work: Callable[[Item], Result], items: Iterable[Item], threads: int
) -> Generator[Result, None, None]:
    """work(item) for every item, several at once, each on one thread (`for_each` inside takes no
    others); results in the items' order. At most threads + 1 items are started and not yet yielded.
    Raises what `work` raises, when it is that item's turn. Closing it early waits for running
    items."""
    if threads < 2:
        yield from map(work, items)
        return
    begun: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="egstalker-side", initializer=_alone)
    try:
        for item in items:
            begun.append(pool.submit(work, item))
            if len(begun) > threads:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _alone() -> None:
    _present.alone = True


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    """Cached: starting a thread costs a tenth of a millisecond, and threads keep their memory."""
    return ThreadPoolExecutor(threads, thread_name_prefix="egstalker")
