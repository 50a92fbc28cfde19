"""A low mesh around a head that casts its shadow in scenes with a render layer.

It is the convex hull of the head at rest, a child of the avatar's object, and hidden in renders
with it. Cameras of Cycles and EEVEE do not see it; Workbench does not render it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import bmesh
import bpy
import numpy as np

from ...core.avatar.framing import without_strays
from ..properties import is_avatar

KEY = "egstalker_shadow"  # property of the object
WORKBENCH = 1  # as drivers count the engines: EEVEE, Workbench, then those of extensions


def meshes_of(obj: Any) -> list[Any]:
    """The shadow meshes of an avatar's object."""
    return [child for child in obj.children if KEY in child]


def of_scene(scene: Any) -> Iterator[Any]:
    """All shadow meshes of a scene."""
    return (obj for obj in list(scene.objects) if KEY in obj)


def missing(scene: Any) -> list[Any]:
    """The avatars of a scene without a shadow mesh."""
    return [obj for obj in scene.objects if is_avatar(obj) and not meshes_of(obj)]


def add(scene: Any, obj: Any) -> Any:
    """Make the mesh of an avatar's object, from the points of the head at rest."""
    points = np.empty((len(obj.data.vertices), 3), np.float32)
    obj.data.vertices.foreach_get("co", points.reshape(-1))
    mesh = bpy.data.meshes.new(f"{obj.name} Shadow")
    hull = bmesh.new()
    for place in without_strays(points):
        hull.verts.new(place)
    result = bmesh.ops.convex_hull(hull, input=hull.verts, use_existing_faces=False)
    inside = {*result["geom_interior"], *result["geom_unused"]}
    verts = [item for item in inside if isinstance(item, bmesh.types.BMVert)]
    bmesh.ops.delete(hull, geom=verts, context="VERTS")
    hull.to_mesh(mesh)
    hull.free()
    shadow = bpy.data.objects.new(mesh.name, mesh)
    shadow[KEY] = True
    shadow.parent = obj
    shadow.display_type, shadow.hide_select = "BOUNDS", True
    for ray in ("camera", "glossy", "transmission"):
        setattr(shadow, f"visible_{ray}", False)
    scene.collection.objects.link(shadow)
    _hide_with(shadow, obj, scene)
    return shadow


def remove(shadow: Any) -> None:
    mesh = shadow.data
    bpy.data.objects.remove(shadow)
    if mesh.users == 0:
        bpy.data.meshes.remove(mesh)


def _hide_with(shadow: Any, obj: Any, scene: Any) -> None:
    """Blender does not hide children with their parent, and Workbench draws what cameras must not
    see."""
    driver = shadow.driver_add("hide_render").driver
    for name, kind, owner, path in (
        ("hidden", "OBJECT", obj, "hide_render"),
        ("engine", "SCENE", scene, "render.engine"),
    ):
        variable = driver.variables.new()
        variable.name = name
        target = variable.targets[0]
        target.id_type, target.id, target.data_path = kind, owner, path
    driver.expression = f"hidden or engine == {WORKBENCH}"
