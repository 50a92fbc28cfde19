"""What this process uses of the system, and whether it stays the same over a long time."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass
from pathlib import Path

MEGABYTE = 2**20


@dataclass(frozen=True)
class Usage:
    """megabytes: resident memory. handles: open files, pipes and sockets. threads, children:
    counts, children with theirs. files: in the folders of caches and temporary files."""

    megabytes: float
    handles: int
    threads: int
    children: int
    files: int


def usage(folders: tuple[Path, ...]) -> Usage:
    """Of this process, on Linux."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return Usage(
        megabytes=pages * os.sysconf("SC_PAGE_SIZE") / MEGABYTE,
        handles=len(os.listdir("/proc/self/fd")) - 1,
        threads=len(os.listdir("/proc/self/task")),
        children=sum(1 for _ in _children()),
        files=sum(1 for folder in folders for path in folder.rglob("*") if path.is_file()),
    )


def _children() -> Iterator[str]:
    for thread in Path("/proc/self/task").iterdir():
        yield from (thread / "children").read_text().split()


def table(name: str, act: Callable[[], object], rounds: int, folders: tuple[Path, ...]) -> str:
    """Do `act` so many times, measured after a tenth of them, in the middle and at the end. Returns
    three rows of a Markdown table; AssertionError where something grows from the middle to the
    end: memory by more than a tenth or 8 MB, anything else by more than a twentieth or 2."""
    measured = {}
    for done in range(1, rounds + 1):
        act()
        if done in (max(1, rounds // 10), rounds // 2, rounds):
            measured[done] = usage(folders)
    rows = [
        f"| {name} | {done:,} | {u.megabytes:.0f} | {u.handles} | {u.threads} | {u.children} "
        f"| {u.files} |"
        for done, u in measured.items()
    ]
    _, middle, end = measured.values()
    assert end.megabytes - middle.megabytes < max(8.0, middle.megabytes / 10), rows
    for before, after in zip(astuple(middle)[1:], astuple(end)[1:], strict=True):
        assert after - before <= max(2, before / 20), (rows, threading.enumerate())
    return "\n".join(rows)
