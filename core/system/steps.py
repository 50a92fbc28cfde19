"""Work in steps: generators that yield how far they have come and return what they make."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from typing import TypeVar

T = TypeVar("T")

TICK = 0.02  # seconds between two looks at another thread


def finished(steps: Generator[object, None, T]) -> T:
    """What the generator returns, after all its steps. Raises what it raises."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result


def in_background(work: Callable[[threading.Event], T]) -> Generator[None, None, T]:
    """What `work` returns, made on another thread: yields every TICK seconds until it is there.
    Closing the generator sets the event that `work` gets and waits for nothing. Raises what `work`
    raises."""
    results: list[T] = []
    errors: list[BaseException] = []
    abandoned, ended = threading.Event(), threading.Event()

    def run() -> None:
        try:
            results.append(work(abandoned))
        except BaseException as error:  # raised again where the result is waited for
            errors.append(error)
        ended.set()

    threading.Thread(target=run, name="egstalker-steps", daemon=True).start()
    try:
        while not ended.wait(TICK):
            yield
    finally:
        abandoned.set()
    if errors:
        raise errors[0]
    return results[0]
