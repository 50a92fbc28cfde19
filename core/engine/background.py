"""A second thread that runs tasks one after the other, the most urgent first.

A caller passes the whole list each time (`want`), the most urgent first. Tasks that are no longer
on the list are dropped, so that the newest scrub position always wins. Errors are returned as
values. The thread knows neither engines nor Blender: a task is any function.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, eq=False)
class Task:
    """name: identifies its result; a task with the name of the running one is not started again.
    work: runs in the thread, so it must own everything it uses."""

    name: Hashable
    work: Callable[[], object]


@dataclass(frozen=True, eq=False)
class Finished:
    """value: what the work returned, None if it raised `error`. seconds: how long it took."""

    name: Hashable
    value: object
    error: Exception | None
    seconds: float


class Background:
    """The thread starts with the first task and ends with `close`. All methods may be called from
    any thread and never wait for a task, `close` and `settle` aside."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: list[Task] = []
        self._running: Hashable | None = None
        self._finished: list[Finished] = []
        self._thread: threading.Thread | None = None
        self._closed = False

    def want(self, tasks: Sequence[Task]) -> None:
        """Replace the waiting tasks by `tasks`, the most urgent first. The running task
        continues."""
        with self._changed:
            if self._closed:
                return
            self._waiting = [task for task in tasks if task.name != self._running]
            if self._waiting and self._thread is None:
                self._thread = threading.Thread(target=self._run, name="egstalker", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def take(self) -> list[Finished]:
        """The tasks finished since the last call, in order."""
        with self._changed:
            finished, self._finished = self._finished, []
            return finished

    @property
    def busy(self) -> bool:
        """True while a task runs or waits, or a result has not been taken."""
        with self._changed:
            return bool(self._waiting or self._finished) or self._running is not None

    def settle(self, seconds: float) -> bool:
        """Wait until nothing runs or waits; False if that takes longer than `seconds`."""
        with self._changed:
            return self._changed.wait_for(
                lambda: not self._waiting and self._running is None, seconds
            )

    def close(self, patience: float = 1.0) -> None:
        """Drop all tasks; wait at most `patience` seconds for the running one, whose result is
        dropped. May be called twice."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._finished.clear()
            self._changed.notify_all()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(patience)

    def _run(self) -> None:
        while (task := self._next()) is not None:
            start = time.perf_counter()
            value, failure = None, None
            try:
                value = task.work()
            except Exception as error:  # returned with the result
                failure = error
            done = Finished(task.name, value, failure, time.perf_counter() - start)
            # Drop all references to the task before the thread waits.
            del task, value, failure
            with self._changed:
                self._running = None
                if not self._closed:
                    self._finished.append(done)
                del done
                self._changed.notify_all()

    def _next(self) -> Task | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            if self._closed:
                return None
            task = self._waiting.pop(0)
            self._running = task.name
            return task
