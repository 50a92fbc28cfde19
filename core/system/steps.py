"""Work in steps: generators that yield their progress and return their result."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from typing import TypeVar

T = TypeVar("T")

TICK = 0.02  # seconds between two checks of another thread


def finished(steps: Generator[object, None, T]) -> T:
    """Run all steps of the generator and return its result. Raises what it raises."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result


def in_background(work: Callable[[threading.Event], T]) -> Generator[None, None, T]:
    """Run `work` on another thread and return its result: yields every TICK seconds until it is
    done. Closing the generator sets the event that `work` receives and does not wait. Raises what
    `work` raises."""
    results: list[T] = []
    errors: list[BaseException] = []
    abandoned, ended = threading.Event(), threading.Event()

    def run() -> None:
        try:
            results.append(work(abandoned))
        except BaseException as error:  # raised again in the waiting thread
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
