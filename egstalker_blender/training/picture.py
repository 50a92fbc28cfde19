"""The last preview of a training as an icon: no data-block, so it is never saved or undone."""

from __future__ import annotations

import itertools
import os
import time
from pathlib import Path
from typing import Any

import bpy.utils.previews
import imbuf

from ...core.errors import OutputError
from ..folders import user_folder

FOLDER, NAME = "training", "preview"
SIDE = 256  # pixels, of an icon at its largest

_icons: Any = None
_shown: tuple[str, int] | None = None  # path and time of change
_keys = (str(number) for number in itertools.count())
_key = ""
_stamp = 0  # seconds, of the last copy


def show(path: Path | None) -> None:
    """Replace the last picture by this one; a missing or broken one changes nothing. Must not be
    called from a draw function, because it removes the icon that is drawn."""
    global _icons, _shown, _key
    if path is None:
        return
    try:
        asked = (str(path), path.stat().st_mtime_ns)
        if asked == _shown:
            return
        _shown = asked  # a broken one is not tried again and again
        copy = _copied(path)
    except (OSError, ValueError, OutputError):
        return
    if _icons is None:
        _icons = bpy.utils.previews.new()
    key = next(_keys)
    # Reading its size loads it at once; otherwise the panel would show an empty frame first.
    if not any(_icons.load(key, str(copy), "IMAGE").image_size):
        _icons.pop(key)
        return
    if _key in _icons:
        _icons.pop(_key)
    _key = key


def _copied(path: Path) -> Path:
    """The path of a small copy of its left or upper square. Always the same file: Blender stores a
    thumbnail of every file that it loads in this way in the user's folder of thumbnails, and
    compares times in whole seconds. OSError, OutputError, ValueError if it is no picture."""
    global _stamp
    copy = user_folder(FOLDER) / f"{NAME}{path.suffix}"
    pixels = imbuf.load(str(path))
    try:
        width, height = pixels.size
        side = min(width, height)
        # A preview is a strip of frames; a square holds the first ones, large enough to see.
        pixels.crop((0, height - side), (side - 1, height - 1))
        pixels.resize((min(side, SIDE), min(side, SIDE)), method="BILINEAR")
        imbuf.write(pixels, filepath=str(copy))
    finally:
        pixels.free()
    _stamp = max(_stamp + 1, int(time.time()))
    os.utime(copy, (_stamp, _stamp))
    return copy


def size() -> tuple[int, int]:
    """Pixels; (0, 0) if there is no picture."""
    width, height = _icons[_key].image_size if _icons and _key in _icons else (0, 0)
    return int(width), int(height)


def icon() -> int:
    """Its number for `template_icon`; 0 if there is no picture or no window."""
    return int(_icons[_key].icon_id) if _icons and _key in _icons else 0


def clear() -> None:
    global _icons, _shown, _key
    if _icons is not None:
        bpy.utils.previews.remove(_icons)
    _icons, _shown, _key = None, None, ""
