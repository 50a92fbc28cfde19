"""Pictures encoded and written to disk on threads, and renamed in order."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

from ..errors import CancelledError
from ..system.files import Staged
from ..system.machine import available_cores

MAX_THREADS = 16  # a GPU draws faster than sixteen of them pack PNGs
MAX_BYTES = 1 << 29  # of waiting pictures, if they are large


class WriteQueue:
    """Call `put`, then `finish` while `ready`. Leaving the `with` block waits for pictures that are
    not finished and deletes them. picture_bytes: the size of one picture, which bounds the queue's
    memory; it takes two at least."""

    def __init__(self, picture_bytes: int, threads: int | None = None) -> None:
        threads = threads or min(available_cores(), MAX_THREADS)
        self._most = max(2, min(threads, MAX_BYTES // max(1, picture_bytes)))
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="egstalker-write")
        self._waiting: deque[Future[Staged]] = deque()
        self._whole: list[Staged] = []  # on disk, not yet renamed
        self._changed = threading.Condition()
        self._running, self._closed = 0, False

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, stage: Callable[[], Staged]) -> None:
        """Start to write a file under its temporary name."""
        self._waiting.append(self._pool.submit(self._stage, stage))

    def ready(self) -> bool:
        """True if the oldest file is written, or the queue is full."""
        return bool(self._waiting) and (self._waiting[0].done() or len(self) >= self._most)

    def finish(self) -> None:
        """Wait for the oldest file and rename it. Raises the error of its writing."""
        staged = self._waiting.popleft().result()
        staged.commit()
        self._whole.remove(staged)

    def _stage(self, stage: Callable[[], Staged]) -> Staged:
        """Runs in a thread of the pool. An interrupt may have lost the future (it can come while a
        thread is started), so the queue itself records what runs and what is on disk."""
        with self._changed:
            if self._closed:
                raise CancelledError("the pictures are no longer needed")
            self._running += 1
        try:
            staged = stage()
            self._whole.append(staged)
            return staged
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    def __enter__(self) -> WriteQueue:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._changed:
            self._closed = True
            self._changed.wait_for(lambda: not self._running)
        for staged in self._whole:
            staged.discard()
        self._pool.shutdown(cancel_futures=True)
