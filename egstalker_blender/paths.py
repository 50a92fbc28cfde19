"""Paths as Blender writes them: `//` is the folder of a .blend."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy

from ..core.errors import ArgumentError
from ..core.system.names import printable


def absolute(path: str, owner: Any = None) -> Path:
    """A path as Blender writes it, `//` being the folder of the .blend of `owner`."""
    library = owner.library if owner is not None else None
    if path.startswith("//") and library is None and not bpy.data.filepath:
        raise ArgumentError(
            f"{path!r} is relative to the .blend; save it first, or give a full path"
        )
    return Path(bpy.path.abspath(path, library=library)).expanduser()


def stored_path(path: Path) -> str:
    """The path as Blender writes it: relative to the .blend if there is one on the same drive, and
    the preference Relative Paths is on. ArgumentError for a name that is no text: Blender's
    properties hold UTF-8 alone."""
    full = str(path.resolve())
    if full != printable(full):
        raise ArgumentError(
            f"{path}: this name has bytes that are no UTF-8, which Blender cannot hold; rename it"
        )
    if not bpy.data.filepath or not bpy.context.preferences.filepaths.use_relative_paths:
        return full
    try:
        return str(bpy.path.relpath(full))
    except ValueError:  # another drive
        return full
