"""Work that tests give to other processes, which import it by its name."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

from core.errors import OutputError

Tool = tuple[Path, int]


def make(folder: Path) -> Tool:
    """Leaves a file that names this process."""
    (folder / f"made_{os.getpid()}").touch()
    return folder, os.getpid()


def twice(tool: Tool, item: int) -> tuple[int, int]:
    assert tool[1] == os.getpid()
    return 2 * item, os.getpid()


def one_thread(tool: Tool, item: int) -> bool:
    print("a line of a library")
    return {os.environ[name] for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")} == {"1"}


def marked(tool: Tool, item: int) -> None:
    (tool[0] / f"item_{item}").touch()


def fails(tool: Tool, item: int) -> int:
    if item == 5:
        raise OutputError("the disk is full; make room")
    return item


def dies(tool: Tool, item: int) -> int:
    if item == 5:
        os.kill(os.getpid(), signal.SIGTERM)
        threading.Event().wait()
    return item


def hangs(tool: Tool, item: int) -> None:
    (tool[0] / f"pid_{os.getpid()}").touch()
    threading.Event().wait()
