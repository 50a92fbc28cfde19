"""Processes that tests start and observe."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """A process that starts inside gets SIGINT's default, as from a terminal, even if this one
    ignores SIGINT, as under `nohup` or in a shell's background: a process inherits that a signal
    is ignored, but no handler."""
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def processor_seconds(pid: int) -> float:
    """Processor time that a process has used, all threads together; 0 where there is no /proc, or
    the process has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
