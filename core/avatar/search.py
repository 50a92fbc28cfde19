"""Find an avatar file that was moved or renamed, by its content."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..system.files import hash_of
from .file import SUFFIX

MAX_ENTRIES = 100_000  # files and folders visited
MAX_FILES = 500  # avatar files read


@dataclass(frozen=True)
class Search:
    """found: the file, None if it is not there. files: number of avatar files read. complete: False
    if a limit was reached first."""

    found: Path | None
    files: int
    complete: bool


def find_avatar(
    folder: Path,
    digest: str,
    name: str = "",
    max_entries: int = MAX_ENTRIES,
    max_files: int = MAX_FILES,
) -> Search:
    """The .egs file under `folder` whose SHA-256 is `digest`. Files called `name` are read first.
    Folders that cannot be read are skipped; links to folders are not followed."""
    candidates, complete = _avatars(folder, max_entries)
    candidates.sort(key=lambda path: (path.name != name, len(path.parts), str(path)))
    complete = complete and len(candidates) <= max_files
    count = 0
    for path in candidates[:max_files]:
        try:
            found = hash_of(path) == digest
        except OSError:
            continue
        count += 1
        if found:
            return Search(path, count, complete)
    return Search(None, count, complete)


def _avatars(folder: Path, limit: int) -> tuple[list[Path], bool]:
    found: list[Path] = []
    for seen, entry in enumerate(_entries(folder)):
        if seen >= limit:
            return found, False
        if entry.name.lower().endswith(SUFFIX) and entry.is_file():
            found.append(Path(entry.path))
    return found, True


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Breadth first: near files are found before deep ones."""
    waiting = [str(folder)]
    while waiting:
        following: list[str] = []
        for place in waiting:
            try:
                with os.scandir(place) as entries:
                    for entry in entries:
                        yield entry
                        if entry.is_dir(follow_symlinks=False):
                            following.append(entry.path)
            except OSError:
                continue
        waiting = following
