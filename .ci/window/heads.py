"""The head on the screen compared to the rasteriser, pixel by pixel."""

from __future__ import annotations

from math import radians
from typing import Any

import bpy
import numpy as np
from mathutils import Euler
from numpy.typing import NDArray

from . import picture, talking
from .driver import Session, Step, Wait, check

ENOUGH = 45.0  # decibels, where the head is opaque
HIDDEN = 25.0  # at most, where something else is visible
OPAQUE = 0.98
SETTLE_SECONDS = 3.0  # for EEVEE to compile its shaders
REGIONS = ("toolbar", "ui", "header", "tool_header")
Pixels = NDArray[np.float64]


def prepare(session: Session) -> Wait:
    space = session.area().spaces.active
    for name in REGIONS:
        setattr(space, f"show_region_{name}", False)
    space.overlay.show_overlays = False
    space.show_gizmo = False
    view = space.region_3d
    view.view_perspective = "PERSP"
    view.view_location = talking.avatar().matrix_world.translation
    view.view_distance = 0.7
    view.view_rotation = Euler((radians(85), 0.0, radians(20))).to_quaternion()
    yield from session.redraw()


def _seen(session: Session) -> Pixels:
    """(H, W, 3) of the view's region, 0 to 1."""
    region = session.region(session.area())
    return picture.crop(session.pixels(), session.window, region) / 255.0


def _wanted(session: Session, obj: Any) -> tuple[Pixels, NDArray[np.bool_]]:
    """(H, W, 3) straight colours of the rasteriser, (H, W) where they are opaque."""
    region = session.region(session.area())
    data = session.area().spaces.active.region_3d
    view = session.module("egstalker_blender.viewport.view").View(
        np.array(data.view_matrix), np.array(data.window_matrix), region.width, region.height
    )
    viewmat = session.module("egstalker_blender.camera").viewmat_between(
        np.array(obj.matrix_world), np.linalg.inv(view.viewmat), obj.name
    )
    camera = session.module("core.records.camera").Camera(
        viewmat, *view.lens, view.width, view.height
    )
    splats = talking.stage(session).shown()[obj.session_uid].splats
    image = session.module("core.render.numpy.tiles").rasterise(splats, camera)
    alpha = image[..., 3:]
    straight = np.clip(image[..., :3] / np.maximum(alpha, 1e-6), 0, 1)
    return straight.astype(np.float64), alpha[..., 0] > OPAQUE


def _decibels(session: Session, obj: Any) -> float:
    wanted, solid = _wanted(session, obj)
    check(solid.mean() > 0.005, "a head in the middle of the view")
    difference = (_seen(session) - wanted)[solid]
    return float(-10 * np.log10(np.mean(difference**2)))


def the_screen_shows_the_baked_colours(session: Session) -> Wait:
    yield from prepare(session)
    obj, shading = talking.avatar(), session.area().spaces.active.shading
    for kind in ("SOLID", "MATERIAL"):
        shading.type = kind
        yield from session.redraw()
        yield SETTLE_SECONDS
        found = _decibels(session, obj)
        session.measures[f"viewport against bake, {kind.lower()}, decibels"] = found
        check(found >= ENOUGH, f"{ENOUGH:.0f} dB in {kind} shading, not {found:.1f}")
    shading.type = "SOLID"


def a_mesh_before_the_head_hides_it(session: Session) -> Wait:
    obj = talking.avatar()
    yield from prepare(session)
    for y, hides in ((-0.35, True), (0.4, False)):
        session.call(bpy.ops.mesh.primitive_cube_add, size=0.3, location=(0, y, 0))
        cube = bpy.context.object
        yield from session.redraw()
        found = _decibels(session, obj)
        bpy.data.meshes.remove(cube.data)
        wanted = "a hidden head behind" if hides else "a visible head before"
        check((found < HIDDEN) == hides, f"{wanted} a cube, not {found:.1f} dB")


def hidden_heads_and_quad_views(session: Session) -> Wait:
    obj = talking.avatar()
    yield from prepare(session)
    obj.hide_set(True)
    yield from session.redraw()
    found = _decibels(session, obj)
    obj.hide_set(False)
    check(found < HIDDEN, f"nothing of a hidden head, not {found:.1f} dB")
    for _ in range(2):
        session.call(bpy.ops.screen.region_quadview)
        yield from session.redraw()
        fault = session.module("egstalker_blender.viewport.handler").failure()
        check(not fault, f"heads in every view, not: {fault}")
    yield from session.redraw()
    check(_decibels(session, obj) >= ENOUGH, "the same head after quad view")


def put_the_view_back(session: Session) -> Wait:
    space = session.area().spaces.active
    space.overlay.show_overlays = True
    space.show_gizmo = True
    for name in REGIONS:
        setattr(space, f"show_region_{name}", name != "ui")
    talking.select(talking.avatar())
    yield from session.redraw()


STEPS: tuple[Step, ...] = (
    the_screen_shows_the_baked_colours,
    a_mesh_before_the_head_hides_it,
    hidden_heads_and_quad_views,
    put_the_view_back,
)
