"""Recognises that a failure is a lack of memory, whatever library reports it."""

from __future__ import annotations

import errno
import os
import sys
import threading
from collections.abc import Iterator
from typing import Any

from ..errors import EgsError, EngineError, MissingPackageError

# Words of torch, CUDA, C++, the dynamic loader, the system and Python itself, in lower case.
WORDS = (
    "out of memory",
    "alloc_failed",
    "allocate memory",
    "not enough memory",
    "bad_alloc",
    "failed to map segment",
    "can't start new thread",
    "error return without exception set",
    "without setting an exception",
)
PROGRAM = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "")  # our files
ADVICE = "close other programs, or choose smaller pictures or fewer heads"
BEGINS = 30.0  # seconds; on a busy machine a thread takes a fraction of one
NO_THREAD = f"error: memory ran out before a thread began; {ADVICE}\n".encode()


def end_without_threads() -> None:
    """For a process of our own: Python's `Thread.start` waits for ever for a thread that found no
    memory to begin. From now on the process ends with an error where the thread can still tell, and
    otherwise `start` raises MemoryError after BEGINS seconds."""
    others, start = sys.unraisablehook, threading.Thread.start

    def hook(raised: Any) -> None:
        name, said = getattr(raised.object, "__name__", ""), raised.err_msg or ""
        if name == "_bootstrap" or "thread started" in said:
            os.write(2, NO_THREAD)  # there may be no memory for more
            os._exit(EngineError.exit_code)
        others(raised)

    def limited(self: threading.Thread) -> None:
        if not self._started.is_set():  # type: ignore[attr-defined]
            self._started = _Begun()  # type: ignore[attr-defined]
        start(self)

    sys.unraisablehook = hook
    threading.Thread.start = limited  # type: ignore[method-assign]


class _Begun(threading.Event):
    def wait(self, timeout: float | None = None) -> bool:
        if super().wait(BEGINS if timeout is None else timeout) or timeout is not None:
            return self.is_set()
        raise MemoryError("a thread did not begin")


def ran_out(error: BaseException) -> bool:
    """True if this error, or one that it came from, says that memory ran out."""
    return any(_says_so(each) for each in _chain(error))


def known(error: Exception) -> EgsError | None:
    """The error in one line if it is one of ours or a lack of memory; None for a defect. A package
    that cannot be loaded for want of memory is not missing."""
    if isinstance(error, EgsError) and not isinstance(error, MissingPackageError):
        return error
    causes = list(filter(_says_so, _chain(error)))
    if causes:
        return _line(causes[-1])
    return error if isinstance(error, EgsError) else None


def _line(cause: BaseException) -> EngineError:
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    said = next(filter(_named, lines), lines[0] if lines else "")
    detail = f" ({said[:200]})" if said else ""
    return EngineError(f"memory ran out{detail}; {ADVICE}")


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        yield each
        each = each.__cause__ or each.__context__


def _says_so(error: BaseException) -> bool:
    if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
        return True
    # Python's parser, when it finds no memory, sometimes names an error in a file without one.
    if isinstance(error, SyntaxError):
        return str(error.filename).startswith(PROGRAM)
    # An error of ours may quote a file.
    return not isinstance(error, EgsError) and _named(str(error))


def _named(text: str) -> bool:
    return any(word in text.lower() for word in WORDS)
