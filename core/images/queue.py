"""Pictures on their way to disk: encoded and written on threads, given their names in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from types import TracebackType

from ..files import Staged
from ..machine import available_cores

MAX_THREADS = 8
MAX_BYTES = 1 << 29  # of pictures that wait, where they are large


class WriteQueue:
    """put, then `finish` while `ready`. What was put and not finished is not left on disk: leaving
    the `with` block waits for the pictures in hand and deletes them. picture_bytes: of one, so
    that a film of large ones does not fill the memory; at least two are on their way."""

    def __init__(self, picture_bytes: int, threads: int | None = None) -> None:
        threads = threads or min(available_cores(), MAX_THREADS)
        self._most = max(2, min(threads, MAX_BYTES // max(1, picture_bytes)))
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="egstalker-write")
        self._waiting: deque[Future[Staged]] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, stage: Callable[[], Staged]) -> None:
        """Begin to write a file, up to its name."""
        self._waiting.append(self._pool.submit(stage))

    def ready(self) -> bool:
        """Whether the oldest is written, or has to be waited for because no more may wait."""
        return bool(self._waiting) and (self._waiting[0].done() or len(self) >= self._most)

    def finish(self) -> None:
        """Wait for the oldest and give it its name. Raises what went wrong with it."""
        self._waiting.popleft().result().commit()

    def __enter__(self) -> WriteQueue:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        begun = [future for future in self._waiting if not future.cancel()]
        wait(begun)
        for future in begun:
            if future.exception() is None:
                future.result().discard()
        self._pool.shutdown()
