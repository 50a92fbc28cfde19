"""Work on all cores for code that holds Python's lock: other processes of this Python (spawn)."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection
from pathlib import Path
from typing import Any, TypeVar

from ..errors import WorkerError

Tool = TypeVar("Tool")
Item = TypeVar("Item")
Result = TypeVar("Result")

AHEAD = 2  # items per process that are begun before the oldest one's result is taken
TICK = 0.1  # seconds between two calls of `tick` while no result comes
# A process computes on one thread; libraries read these when they are imported.
ONE_THREAD = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)

_numbers = itertools.count()
_tool: tuple[int, Any] | None = None  # of this process: the number of the work, and its tool


class Processes:
    """Up to `count` processes, started when they are first needed, ended by `close`. They end by
    themselves when this process is killed. What they print goes to the file `log`."""

    def __init__(self, count: int, log: Path) -> None:
        self.count = count
        self._log = log
        self._pool: ProcessPoolExecutor | None = None

    def close(self) -> None:
        """Wait for the items that run, and end the processes."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None

    def in_order(
        self,
        work: Callable[[Tool, Item], Result],
        items: Sequence[Item],
        make: Callable[[], Tool],
        tick: Callable[[], None],
    ) -> Generator[Result, None, None]:
        """work(tool, item) for every item, results in the items' order; tool = make(), once in each
        process. work and make are functions of modules (or `functools.partial` of such), items and
        results are small: they travel between processes. tick() is called often and may raise.

        Raises what `work` and `make` raise. WorkerError: a process was killed."""
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                self.count,
                multiprocessing.get_context("spawn"),
                _begin,
                (str(self._log), dict.fromkeys(ONE_THREAD, "1")),
            )
        number = next(_numbers)
        begun: deque[Future[Result]] = deque()
        try:
            for item in items:
                begun.append(self._pool.submit(_work, number, make, work, item))
                if len(begun) >= AHEAD * self.count:
                    yield _result(begun.popleft(), tick)
            while begun:
                yield _result(begun.popleft(), tick)
        except BrokenProcessPool:
            self.close()
            raise WorkerError(
                f"a process was killed, perhaps because memory ran out ({self._log} may say more); "
                "finished work is kept, run it again, with fewer processes if that repeats"
            ) from None
        finally:
            for future in begun:
                future.cancel()


def _result(future: Future[Result], tick: Callable[[], None]) -> Result:
    tick()
    while not wait([future], TICK).done:
        tick()
    return future.result()


def _begin(log: str, environ: dict[str, str]) -> None:
    """The start of each process, before it imports what the work needs."""
    os.environ.update(environ)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the first process decides
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream in (1, 2):
        os.dup2(file, stream)
    os.close(file)
    parent = multiprocessing.parent_process()
    assert parent is not None
    threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    """End this process when its parent is gone, even if it was killed."""
    connection.wait([sentinel])
    os._exit(1)


def _work(
    number: int, make: Callable[[], Tool], work: Callable[[Tool, Item], Result], item: Item
) -> Result:
    global _tool
    if _tool is None or _tool[0] != number:
        _tool = None  # frees its memory before the next one is made
        _tool = (number, make())
    result: Result = work(_tool[1], item)
    return result
