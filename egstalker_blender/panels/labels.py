"""Text that is longer than a panel is wide: Blender's labels do not wrap."""

from __future__ import annotations

import textwrap
from typing import Any

import bpy

CHARACTER = 7.0  # pixels that a character of the interface takes, at scale 1
LEAST = 16  # characters


def wrapped(text: str, width: int) -> list[str]:
    """Lines of at most `width` characters; a longer word, a path, is cut."""
    return textwrap.wrap(text, max(width, LEAST)) or [""]


def draw_text(layout: Any, context: Any, text: str, icon: str = "NONE") -> None:
    """Draw lines as wide as the region, with the icon before the first one."""
    scale = context.preferences.system.ui_scale
    width = context.region.width if context.region else 400
    indent = 0 if icon == "NONE" else 3
    lines = wrapped(text, int(width / (CHARACTER * scale)) - indent - 4)
    col = layout.column(align=True)
    for number, line in enumerate(lines):
        first = icon if number == 0 else ("NONE" if icon == "NONE" else "BLANK1")
        col.label(text=line, icon=first, translate=False)


def translated(text: str) -> str:
    """A sentence in the user's language, for text that Blender's labels do not translate."""
    return str(bpy.app.translations.pgettext_iface(text))


def duration(seconds: float) -> str:
    """1:15, or 1:01:40 from an hour on."""
    minutes, rest = divmod(int(max(0.0, min(seconds, 1e7))), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
