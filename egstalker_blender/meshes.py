"""The meshes of the scene that stand before a head, as the scene's camera sees them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.images.layers import EMPTY
from ..core.records.arrays import Float32, Float64
from ..core.records.camera import Camera
from ..core.records.mesh_depth import MeshDepth
from ..core.render.rays import Area, area_around, corner_rays, depths_of, picture_of
from ..core.render.triangles import nearest_triangles, rays_are_quicker
from .camera import HEAD_TO_OBJECT, world_of
from .properties import is_avatar

ROOM = 1.5  # of the box of the neutral head, about its middle, in which the head moves and turns


def meshes_before(depsgraph: Any, obj: Any, camera: Camera, instance: str = "") -> MeshDepth | None:
    """What hides parts of the avatar `obj` in the picture of `camera`, the scene's camera relative
    to the object; None for nothing. Every mesh counts that the depsgraph shows and that is neither
    hidden in renders nor from cameras, whatever its material. instance: as world_of, whose
    CameraError it raises."""
    world = world_of(depsgraph, obj, instance)
    return _before(depsgraph, obj, camera, world, lambda shown: True)


def holdouts_before(depsgraph: Any, obj: Any, camera: Camera, world: Float64) -> MeshDepth | None:
    """As meshes_before, of the meshes that the view layer holds out: by themselves, by a collection
    or as instances of an object that does. Renders write no depth of these. world: (4, 4) matrix of
    the avatar, or of its instance."""
    layer = depsgraph.view_layer

    def is_held_out(shown: Any) -> bool:
        both = (shown.object, shown.parent)
        return any(one is not None and one.original.holdout_get(view_layer=layer) for one in both)

    return _before(depsgraph, obj, camera, world, is_held_out)


def _before(
    depsgraph: Any, obj: Any, camera: Camera, world: Float64, counts: Callable[[Any], bool]
) -> MeshDepth | None:
    """counts: of the depsgraph's instances, which may count at all."""
    head = _room(obj)
    limits, farthest = area_around(camera, head), depths_of(camera, head).max()
    from_world = np.linalg.inv(world @ HEAD_TO_OBJECT).astype(np.float64)
    found: list[tuple[Area, Float32]] = []
    for shown in depsgraph.object_instances:
        if not (_hides(shown) and counts(shown)):
            continue
        # The scene's units become the head's frame, in which the camera is.
        local = from_world @ np.array(shown.matrix_world, np.float64)
        box = np.array(shown.object.bound_box, np.float64) @ local[:3, :3].T + local[:3, 3]
        area = area_around(camera, box).within(limits)
        if not area.is_empty and depths_of(camera, box).min() < farthest:
            depth = _depth(shown.object, local, camera, area)
            if (depth < EMPTY).any():
                found.append((area, depth))
    return _nearest(found, camera) if found else None


def _room(obj: Any) -> Float64:
    """(8, 3) corners in the head's frame."""
    box = np.array(obj.bound_box, np.float64)
    middle = box.mean(axis=0)
    return ((box - middle) * ROOM + middle) @ np.linalg.inv(HEAD_TO_OBJECT[:3, :3]).T


def _hides(instance: Any) -> bool:
    shown = instance.object
    source = shown.original or shown
    if shown.type != "MESH" or not instance.show_self or is_avatar(source):
        return False
    collections = source.users_collection
    is_off = bool(collections) and all(collection.hide_render for collection in collections)
    return bool(len(shown.data.polygons)) and not (
        source.hide_render or is_off or not source.visible_camera
    )


def _depth(shown: Any, local: Float64, camera: Camera, area: Area) -> Float32:
    """(h + 1, w + 1) distances along the camera's axis in units of the scene, EMPTY for none. local
    (4, 4): from the mesh to the head's frame."""
    mesh = shown.data
    found = None
    if not rays_are_quicker(len(mesh.loop_triangles), area):
        points = np.empty((len(mesh.vertices), 3), np.float32)
        mesh.vertices.foreach_get("co", points.reshape(-1))
        places = points @ local[:3, :3].T + local[:3, 3]
        found = nearest_triangles(camera, places, _corners(mesh), area)
    if found is not None:
        return found
    to_mesh = np.linalg.inv(local).astype(np.float64)
    return _cast(shown, to_mesh, camera, area)


def _corners(mesh: Any) -> NDArray[np.int32]:
    """(T, 3) which vertices are the corners of each triangle."""
    corners = np.empty((len(mesh.loop_triangles), 3), np.int32)
    if len(mesh.polygons) == len(corners):  # triangles alone: several times as fast
        mesh.attributes[".corner_vert"].data.foreach_get("value", corners.reshape(-1))
    else:
        mesh.loop_triangles.foreach_get("vertices", corners.reshape(-1))
    return corners


def _cast(shown: Any, to_local: Float64, camera: Camera, area: Area) -> Float32:
    """The same, a ray at a time. to_local (4, 4): from the head's frame to the mesh."""
    origin = to_local[:3, :3] @ camera.centre + to_local[:3, 3]
    rays = corner_rays(camera, area) @ to_local[:3, :3].T
    start, flat = origin.tolist(), rays.reshape(-1, 3)
    hits = [(index, shown.ray_cast(start, ray)) for index, ray in enumerate(flat.tolist())]
    hits = [(index, hit[1]) for index, hit in hits if hit[0]]
    out = np.full(rays.shape[:2], EMPTY, np.float32)
    if hits:
        indices, places = zip(*hits, strict=True)
        along = flat[list(indices)]
        distances = ((np.array(places) - origin) * along).sum(1) / np.square(along).sum(1)
        out.reshape(-1)[list(indices)] = distances * camera.unit
    return out


def _nearest(found: list[tuple[Area, Float32]], camera: Camera) -> MeshDepth:
    """All areas in one."""
    areas = [area for area, _ in found]
    all_of_them = Area(
        min(area.left for area in areas),
        min(area.top for area in areas),
        max(area.right for area in areas),
        max(area.bottom for area in areas),
    ).within(picture_of(camera))
    height, width = all_of_them.bottom - all_of_them.top, all_of_them.right - all_of_them.left
    out = np.full((height + 1, width + 1), EMPTY, np.float32)
    for area, depth in found:
        top, left = area.top - all_of_them.top, area.left - all_of_them.left
        part = out[top : top + depth.shape[0], left : left + depth.shape[1]]
        np.minimum(part, depth, out=part)
    return MeshDepth(all_of_them.left, all_of_them.top, out)
