"""The folders of environments: only a marked one is complete, and only one is kept."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

from ...core.system.files import write_atomic

MARKER = "egstalker_worker.json"  # written last: an environment without it is not complete
PREFIX = "environment"
ABANDONED = 3 * 3600.0  # seconds, more than the limits of all steps together


def environments(root: Path) -> list[Path]:
    return sorted(path for path in root.glob(f"{PREFIX}_*") if path.is_dir())


def is_complete(environment: Path) -> bool:
    return (environment / MARKER).is_file()


def mark_complete(environment: Path, details: Mapping[str, str]) -> None:
    """OSError, OutputError."""
    write_atomic(environment / MARKER, [json.dumps({**details, "complete": True}).encode()])


def clear_unfinished(root: Path) -> None:
    """Remove what a killed Blender left behind. A newer unfinished environment stays: it may belong
    to another Blender that is setting it up now."""
    for folder in environments(root):
        with contextlib.suppress(OSError):  # gone meanwhile
            if not is_complete(folder) and time.time() - folder.stat().st_mtime > ABANDONED:
                shutil.rmtree(folder, ignore_errors=True)


def remove_others(root: Path, kept: Path) -> None:
    for folder in environments(root):
        if folder != kept:
            shutil.rmtree(folder, ignore_errors=True)


def fresh_folder(root: Path) -> Path:
    """A name for a new environment; the one that works stays until the new one does."""
    number = 1
    while (root / f"{PREFIX}_{number}").exists():
        number += 1
    return root / f"{PREFIX}_{number}"


def pip_environment() -> dict[str, str]:
    """The user's variables without those that Blender's Python set for itself, plus one that makes
    output appear line by line."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    return {**kept, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8:backslashreplace"}
