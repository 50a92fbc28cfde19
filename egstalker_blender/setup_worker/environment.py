"""The folders of environments: only a marked one is complete, and only one is kept. One that is
being made holds the marker's temporary file, whose name tells whose it is (leftovers.py)."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from ...core.errors import OutputError
from ...core.system.files import reason, write_atomic
from ...core.system.leftovers import PART, part_of, remove_abandoned

MARKER = "egstalker_worker.json"  # written last: an environment without it is not complete
PREFIX = "environment"


def environments(root: Path) -> list[Path]:
    return sorted(path for path in root.glob(f"{PREFIX}_*") if path.is_dir())


def is_complete(environment: Path) -> bool:
    return (environment / MARKER).is_file()


def mark_complete(environment: Path, details: Mapping[str, str]) -> None:
    """OSError, OutputError."""
    write_atomic(environment / MARKER, [json.dumps({**details, "complete": True}).encode()])


def clear_unfinished(root: Path) -> None:
    """Remove what a killed Blender left behind; not what another Blender is setting up now."""
    for folder in environments(root):
        if not is_complete(folder) and not _in_progress(folder):
            shutil.rmtree(folder, ignore_errors=True)


def remove_earlier(earlier: Iterable[Path]) -> None:
    """Remove environments that were complete before another one was begun. One that another Blender
    finished meanwhile stays until the next set-up: two that ended at once removed each other's."""
    for folder in earlier:
        shutil.rmtree(folder, ignore_errors=True)


def _in_progress(environment: Path) -> bool:
    remove_abandoned(environment)
    return any(environment.glob(f".{MARKER}.*{PART}"))


def fresh_folder(root: Path) -> Path:
    """A new environment's folder, created for this process alone; the one that works stays until
    the new one does. OutputError."""
    try:
        for number in itertools.count(1):
            folder = root / f"{PREFIX}_{number}"
            with contextlib.suppress(FileExistsError):
                folder.mkdir()
                part_of(folder / MARKER).touch()
                break
    except OSError as error:
        raise OutputError(f"{folder} cannot be created: {reason(error)}") from None
    return folder


def pip_environment() -> dict[str, str]:
    """The user's variables without those that Blender's Python set for itself, plus one that makes
    output appear line by line."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    return {**kept, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8:backslashreplace"}
