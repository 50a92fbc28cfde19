"""Files and folders that can be made again: the ones unused for long are deleted."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
from collections.abc import Callable, Collection
from pathlib import Path

DAY = 86400.0  # seconds


def touch(path: Path) -> None:
    """Mark the file or folder as used now, where that is allowed."""
    with contextlib.suppress(OSError):
        os.utime(path)


def trim(
    folder: Path,
    names: re.Pattern[str],
    kept: Collection[Path],
    budget: int,
    longest: float = 30 * DAY,
    clock: Callable[[], float] = time.time,
) -> None:
    """Delete files of `folder` whose whole name matches: those unused for `longest` seconds, and
    beyond `budget` bytes the least recently used. `kept` files stay, and so do those used within a
    day, by another Blender perhaps. A time in the future, which a wrong clock wrote, counts as
    long ago. What cannot be read or deleted stays."""
    now = clock()
    found = []
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if names.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                status = entry.stat(follow_symlinks=False)
                found.append((_age(status, now), status.st_size, entry.path))
    total = sum(size for _, size, _ in found)
    for age, size, path in sorted(found, reverse=True):
        if age <= DAY or Path(path) in kept or (age <= longest and total <= budget):
            continue
        with contextlib.suppress(OSError):
            os.unlink(path)
            total -= size


def trim_folders(
    parent: Path,
    names: re.Pattern[str],
    kept: Path,
    longest: float = 30 * DAY,
    clock: Callable[[], float] = time.time,
) -> None:
    """Delete folders of `parent` whose whole name matches and that nobody touched for `longest`
    seconds, with what is in them; times in the future as in `trim`. `kept` stays."""
    now, found = clock(), []
    with contextlib.suppress(OSError), os.scandir(parent) as entries:
        for entry in entries:
            if names.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
                found.append((_age(entry.stat(follow_symlinks=False), now), Path(entry.path)))
    for age, path in found:
        if age > longest and path != kept:
            shutil.rmtree(path, ignore_errors=True)


def _age(status: os.stat_result, now: float) -> float:
    """Seconds since it was used."""
    age = now - status.st_mtime
    return age if age > -DAY else float("inf")
