"""Work in steps: generators that yield their progress and return their result."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from typing import Generic, TypeVar

T = TypeVar("T")

TICK = 0.02  # seconds between two checks of another thread


class Run(Generic[T]):
    """Iterates over the steps; afterwards `result` is what they returned."""

    result: T

    def __init__(self, steps: Generator[object, None, T]) -> None:
        self._steps = steps

    def __iter__(self) -> Generator[object, None, None]:
        self.result = yield from self._steps


def finished(steps: Generator[object, None, T]) -> T:
    """Run all steps of the generator and return its result. Raises what it raises."""
    run = Run(steps)
    for _ in run:
        pass
    return run.result


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
