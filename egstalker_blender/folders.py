"""The folder that this extension may write to, which is never its own."""

from __future__ import annotations

import os
from pathlib import Path

import bpy

from .. import __package__ as base_package
from ..core.errors import OutputError
from ..core.system.files import reason
from ..core.system.folders import cache_folder


def user_folder(name: str = "") -> Path:
    """The extension's user folder, or a folder inside it; created if needed. Updates of the
    extension keep it. OutputError if it cannot be created."""
    try:
        text = bpy.utils.extension_path_user(base_package, path=name)
    except ValueError:  # loaded by its path, as the command line and the tests do
        text = ""
    folder = Path(text) if text else cache_folder() / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"folder {folder} cannot be created: {reason(error)}") from None
    return folder


def can_write(folder: Path) -> bool:
    return folder.is_dir() and os.access(folder, os.W_OK)
