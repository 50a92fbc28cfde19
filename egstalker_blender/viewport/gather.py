"""Reads from Blender's context what the renderer draws, once per redraw."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ...core.records.arrays import Float32
from ..camera import in_object, instances, means_of
from ..properties import instanced_by
from .atlas import Entry, Key
from .draw import Item
from .stage import Shown

NOTHING: Mapping[int, Shown] = {}


def known(view_layer: Any, shown: Mapping[int, Shown]) -> list[Any]:
    """The objects of this view layer that are on the stage."""
    return [obj for obj in view_layer.objects if obj.session_uid in shown]


def instanced(view_layer: Any, shown: Mapping[int, Shown]) -> list[Any]:
    """The objects on the stage that objects of this view layer instance."""
    found = [inner for obj in view_layer.objects for inner in instanced_by(obj)]
    return [obj for obj in dict.fromkeys(found) if obj.session_uid in shown]


def visible(objects: Iterable[Any], view_layer: Any, space: Any) -> list[Any]:
    """The objects that this 3D view shows: not hidden, in a visible collection, in its local view,
    of a type that it shows. space: SpaceView3D."""
    return [obj for obj in objects if obj.visible_get(view_layer=view_layer, viewport=space)]


def items_of(
    objects: Iterable[Any], depsgraph: Any, shown: Mapping[int, Shown] = NOTHING
) -> list[Item]:
    """Where the splats of each object are in the world, and its display settings. depsgraph: may
    be None."""
    items = []
    for obj in objects:
        evaluated = obj.evaluated_get(depsgraph) if depsgraph else obj
        items.append(_item(obj.session_uid, obj, evaluated.matrix_world, shown))
    return items


def instances_of(
    objects: Iterable[Any], depsgraph: Any, space: Any, shown: Mapping[int, Shown] = NOTHING
) -> list[Item]:
    """An item for each instance of these objects that this 3D view shows, with a key of its own,
    because the renderer draws each key once. depsgraph: may be None. space: SpaceView3D."""
    uids = {obj.session_uid for obj in objects}
    items: list[Item] = []
    for obj, parent, world in instances(depsgraph) if uids and depsgraph else ():
        if obj.session_uid in uids and parent.visible_get(
            view_layer=depsgraph.view_layer, viewport=space
        ):
            items.append(_item((obj.session_uid, len(items)), obj, world, shown))
    return items


def _item(key: Key, obj: Any, world: Any, shown: Mapping[int, Shown]) -> Item:
    display = obj.egstalker_display
    matrix = np.array(world, np.float64)
    now = shown.get(obj.session_uid)
    if now is not None and now.place is not None:
        matrix = matrix @ in_object(now.place)
    return Item(key, matrix, display.mode, display.sh_degree, display.motion_range)


def entries_of(
    shown: Mapping[int, Shown], objects: Iterable[Any], instances: Iterable[Item] = ()
) -> list[Entry]:
    """Entries of all shown heads, in this view or not, so that two views share textures; and one
    for each instance in this view."""
    moving = {obj.session_uid: obj for obj in objects if obj.egstalker_display.mode == "MOTION"}
    keys: list[Key] = [*shown, *(item.key for item in instances)]
    entries = []
    for key in keys:
        uid = key if isinstance(key, int) else key[0]
        rest = rest_of(moving[uid]) if uid in moving else None
        entries.append(Entry(key, shown[uid].version, shown[uid].splats, rest))
    return entries


def rest_of(obj: Any) -> Float32 | None:
    """(N, 3) canonical means in the head's frame, which are the vertices of the object's mesh
    (avatars/importer.py); None for an object without a mesh."""
    if obj.type != "MESH":
        return None
    vertices = np.empty((len(obj.data.vertices), 3), np.float32)
    obj.data.vertices.foreach_get("co", vertices.reshape(-1))
    return means_of(vertices)
