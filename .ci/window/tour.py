"""The pictures of docs/images: one step each."""

from __future__ import annotations

from math import radians
from pathlib import Path

import bpy
from mathutils import Euler

from . import talking
from .driver import EXTENSION, Session, Step, StepError, Wait

TAB = "EGSTalker"
TALKING_FRAME = 28
TAB_STEP = 12  # pixels between two clicks in search of the sidebar's tab


def make_the_scene(session: Session) -> Wait:
    yield from talking.load_demo(session)
    space = session.area().spaces.active
    space.show_region_ui = True
    space.overlay.show_outline_selected = False
    space.overlay.show_object_origins = False
    yield from talking.frame_view(session)
    view = space.region_3d
    view.view_rotation = Euler((radians(82), 0.0, radians(28))).to_quaternion()
    view.view_distance *= 0.8
    yield from _open_tab(session)


def _open_tab(session: Session) -> Wait:
    """Click along the sidebar's right edge until our tab is open: it cannot be set by name."""
    region = session.region(session.area(), "UI")
    x = region.x + region.width - 8
    y = region.y + region.height - 40
    while region.active_panel_category != TAB:
        if y < region.y:
            raise StepError(f"a tab {TAB} in the sidebar")
        yield from session.press("LEFTMOUSE", x, y)
        y -= TAB_STEP


def show_the_head(session: Session) -> Wait:
    yield from talking.go_to(session, TALKING_FRAME)
    yield from talking.wait_for_head(session, talking.avatar())
    yield from session.save("viewport.jpg", session.area())


def show_the_panel(session: Session) -> Wait:
    yield from session.save("panel.png", session.region(session.area(), "UI"))


def show_the_timeline(session: Session) -> Wait:
    obj = talking.avatar()
    for frame in (*range(20, 60, 4), TALKING_FRAME):
        yield from talking.go_to(session, frame)
        yield from talking.wait_for_head(session, obj)
    yield 1.0
    yield from session.save("window.jpg")
    yield from session.save("timeline.png", session.area("DOPESHEET_EDITOR"))


def show_the_bake(session: Session) -> Wait:
    folder = Path(bpy.app.tempdir) / "bake"
    talking.set_bake(talking.avatar(), folder, 60)
    talking.start_bake(session)
    yield from session.wait(lambda: len(talking.baked(folder)) >= 3, 60, "three baked frames")
    yield from session.save("bake.jpg")
    yield from session.press_over("ESC")


def show_the_preferences(session: Session) -> Wait:
    area = session.area()
    area.type = "PREFERENCES"
    bpy.context.preferences.active_section = "ADDONS"
    bpy.context.window_manager.addon_search = "EGSTalker"
    yield from session.redraw()
    bpy.ops.preferences.addon_expand(module=EXTENSION)
    yield from session.save("preferences.png", area)
    area.type = "VIEW_3D"
    yield from session.redraw()


STEPS: list[Step] = [
    make_the_scene,
    show_the_head,
    show_the_panel,
    show_the_timeline,
    show_the_bake,
    show_the_preferences,
]
