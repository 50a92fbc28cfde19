"""Opens the sidebar's tab and its panels by clicks, because Blender sets neither by name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import bpy

from .driver import Session, StepError, Wait

TAB = "EGSTalker"
TAB_STEP = 12  # pixels between two clicks in search of the tab


def open_tab(session: Session) -> Wait:
    """Click along the sidebar's right edge until our tab is open."""
    region = session.region(session.area(), "UI")
    x = region.x + region.width - 8
    y = region.y + region.height - 40
    while region.active_panel_category != TAB:
        if y < region.y:
            raise StepError(f"a tab {TAB} in the sidebar")
        yield from session.press("LEFTMOUSE", x, y)
        y -= TAB_STEP


@contextmanager
def opened(panel: Any) -> Iterator[None]:
    """Inside, a panel that is closed by default is open."""
    variant = type(f"{panel.__name__}_opened", (panel,), {"bl_options": set()})
    bpy.utils.unregister_class(panel)
    bpy.utils.register_class(variant)
    try:
        yield
    finally:
        bpy.utils.unregister_class(variant)
        bpy.utils.register_class(panel)
