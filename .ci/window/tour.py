"""The steps that save the pictures of docs/images."""

from __future__ import annotations

import shutil
import sys
from math import radians
from pathlib import Path
from typing import Any

import bpy
from mathutils import Euler, Vector

from . import sidebar, talking, training
from .driver import EXTENSION, Session, Step, Wait

TALKING_FRAME = 37
RING_HEIGHT = -0.3  # of the head's height, from its middle
SCROLLS = 16  # of 40 pixels, whatever is asked for: to the live panel


def make_the_scene(session: Session) -> Wait:
    """The demo head with a ring of mesh around it, in a saved file."""
    yield from talking.load_demo(session)
    head = talking.avatar()
    _put_ring_around(head)
    talking.select(head)
    _save_with_the_avatar(session, head)
    space = session.area().spaces.active
    space.show_region_ui = True
    space.show_gizmo = False
    yield from talking.frame_view(session)
    view = space.region_3d
    view.view_rotation = Euler((radians(80), 0.0, radians(-32))).to_quaternion()
    view.view_distance *= 1.15
    side = view.view_rotation @ Vector((1.0, 0.0, 0.0))
    view.view_location += side * 0.06  # the sidebar covers the right of the view
    yield from sidebar.open_tab(session)


def _save_with_the_avatar(session: Session, head: Any) -> None:
    folder = Path(bpy.app.tempdir)
    shutil.copy(session.asset("demo.egs"), folder)
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "talking.blend"))
    head.egstalker.avatar_path = "//demo.egs"


def _put_ring_around(head: Any) -> None:
    """Half before and half behind the head, so that a picture shows that depth is respected."""
    corners = [head.matrix_world @ Vector(corner) for corner in head.bound_box]
    low = Vector(min(corner[axis] for corner in corners) for axis in range(3))
    high = Vector(max(corner[axis] for corner in corners) for axis in range(3))
    bpy.ops.mesh.primitive_torus_add(
        location=(low + high) / 2 + Vector((0.0, 0.0, (high.z - low.z) * RING_HEIGHT)),
        rotation=(radians(12), radians(-8), 0.0),
        major_radius=(high.y - low.y) * 0.62,
        minor_radius=0.008,
        major_segments=96,
    )
    ring = bpy.context.view_layer.objects.active
    bpy.ops.object.shade_smooth()
    ring.color = (0.1, 0.35, 0.8, 1.0)
    ring.select_set(False)


def show_the_head(session: Session) -> Wait:
    yield from talking.go_to(session, TALKING_FRAME)
    yield from talking.wait_for_head(session)
    space = session.area().spaces.active
    space.shading.color_type = "OBJECT"
    space.overlay.show_overlays = space.show_region_ui = False
    yield from session.save("viewport.jpg", session.area())
    space.overlay.show_overlays = space.show_region_ui = True


def show_the_panel(session: Session) -> Wait:
    yield from session.save("panel.png", session.region(session.area(), "UI"))


def show_the_timeline(session: Session) -> Wait:
    for frame in (*range(20, 60, 8), TALKING_FRAME):
        yield from talking.go_to(session, frame)
        yield from talking.wait_for_head(session)
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


def show_the_live_panel(session: Session) -> Wait:
    """The open panel in a sidebar that is scrolled down. A worker is set, but nothing is
    recorded."""
    panel = session.module("egstalker_blender.panels.live").EGSTALKER_PT_live
    preferences = bpy.context.preferences.addons[EXTENSION].preferences
    preferences.worker_python = sys.executable
    with sidebar.opened(panel):
        yield from session.redraw()
        area = session.area()
        region = session.region(area, "UI")
        with bpy.context.temp_override(window=session.window, area=area, region=region):
            for _ in range(SCROLLS):
                bpy.ops.view2d.scroll_down()
        yield from session.save("live.png", region)
    preferences.worker_python = ""


def show_the_preferences(session: Session) -> Wait:
    area = session.area()
    area.type = "PREFERENCES"
    bpy.context.preferences.active_section = "ADDONS"
    bpy.context.window_manager.addon_search = "EGSTalker"
    yield from session.redraw()
    bpy.ops.preferences.addon_expand(module=EXTENSION)
    system = bpy.context.preferences.system
    system.use_online_access = True  # a new profile is offline; nothing here uses the network
    yield from session.save("preferences.png", area)
    system.use_online_access = False
    area.type = "VIEW_3D"
    yield from session.redraw()


STEPS: list[Step] = [
    training.train,
    make_the_scene,
    show_the_head,
    show_the_panel,
    show_the_timeline,
    show_the_bake,
    show_the_live_panel,
    show_the_preferences,
]
