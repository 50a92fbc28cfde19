"""The last preview of a training as an icon: no data-block, nothing of it is saved or undone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy.utils.previews

_icons: Any = None
_shown = ""  # key of the one that is shown: path and time of change


def show(path: Path | None) -> None:
    """Load that picture in place of the last one; a missing or broken one changes nothing. Not from
    a draw function: an icon that is being drawn would go."""
    global _icons, _shown
    if path is None:
        return
    try:
        key = f"{path}|{path.stat().st_mtime_ns}"
    except OSError:
        return
    if _icons is None:
        _icons = bpy.utils.previews.new()
    if key in _icons:
        return
    # Asking for its size loads it at once; else the panel would show an empty frame meanwhile.
    if not any(_icons.load(key, str(path), "IMAGE").image_size):
        _icons.pop(key)
        return
    if _shown in _icons:
        _icons.pop(_shown)
    _shown = key


def size() -> tuple[int, int]:
    """Pixels, (0, 0) where there is none."""
    width, height = _icons[_shown].image_size if _icons and _shown in _icons else (0, 0)
    return int(width), int(height)


def icon() -> int:
    """Its number for `template_icon`; 0 where there is none, and without a window."""
    return int(_icons[_shown].icon_id) if _icons and _shown in _icons else 0


def clear() -> None:
    global _icons, _shown
    if _icons is not None:
        bpy.utils.previews.remove(_icons)
    _icons, _shown = None, ""
