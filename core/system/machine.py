"""A description of the machine, for bench tables and reports."""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Iterator
from pathlib import Path

# Threads that this program and its worker may use; the libraries of a worker read the others.
THREADS = "EGSTALKER_THREADS"
LIMITS = (THREADS, "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def machine() -> dict[str, str | int]:
    """Processor, cores that this process may use, system and Python."""
    return {
        "cpu": _processor(),
        "cores": available_cores(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    for line in lines:
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def available_cores() -> int:
    """Cores that this process may use: those of the system that it was given, at most the number in
    THREADS. What is no number there is ignored."""
    cores = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    chosen = os.environ.get(THREADS, "")
    return min(cores, max(1, int(chosen))) if chosen.isdecimal() else cores


@contextlib.contextmanager
def limited_threads(count: int | None) -> Iterator[None]:
    """Inside it this process, and workers that it starts, use at most `count` threads to compute;
    None: no limit. Pictures do not depend on it."""
    limits = {} if count is None else dict.fromkeys(LIMITS, str(count))
    before = {name: os.environ.get(name) for name in limits}
    os.environ.update(limits)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
