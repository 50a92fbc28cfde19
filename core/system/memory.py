"""Recognises that a failure is a lack of memory, whatever library reports it."""

from __future__ import annotations

import errno
from collections.abc import Iterator

from ..errors import EgsError, EngineError, MissingPackageError

# Words of torch, CUDA, C++, the dynamic loader and the system, in lower case.
WORDS = (
    "out of memory",
    "alloc_failed",
    "allocate memory",
    "not enough memory",
    "bad_alloc",
    "failed to map segment",
    "can't start new thread",
)


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
    return EngineError(
        f"memory ran out{detail}; close other programs, or choose smaller pictures or fewer heads"
    )


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
    # An error of ours may quote a file.
    return not isinstance(error, EgsError) and _named(str(error))


def _named(text: str) -> bool:
    return any(word in text.lower() for word in WORDS)
