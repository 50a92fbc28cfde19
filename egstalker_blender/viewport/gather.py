"""Reads from Blender's context what the renderer draws, once per redraw."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ...core.records.arrays import Float32
from ..camera import in_object, means_of
from .atlas import Entry
from .draw import Item
from .stage import Shown

NOTHING: Mapping[int, Shown] = {}


def known(view_layer: Any, shown: Mapping[int, Shown]) -> list[Any]:
    """The objects of this view layer that are on the stage."""
    return [obj for obj in view_layer.objects if obj.session_uid in shown]


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
        settings = obj.egstalker_display
        world = np.array(evaluated.matrix_world, np.float64)
        now = shown.get(obj.session_uid)
        if now is not None and now.place is not None:
            world = world @ in_object(now.place)
        items.append(
            Item(
                obj.session_uid,
                world,
                settings.mode,
                settings.sh_degree,
                settings.motion_range,
            )
        )
    return items


def entries_of(shown: Mapping[int, Shown], objects: Iterable[Any]) -> list[Entry]:
    """Entries of all shown heads, in this view or not, so that two views share textures."""
    moving = {obj.session_uid: obj for obj in objects if obj.egstalker_display.mode == "MOTION"}
    return [
        Entry(key, now.version, now.splats, rest_of(moving[key]) if key in moving else None)
        for key, now in shown.items()
    ]


def rest_of(obj: Any) -> Float32 | None:
    """(N, 3) canonical means in the head's frame, which are the vertices of the object's mesh
    (avatars/importer.py); None for an object without a mesh."""
    if obj.type != "MESH":
        return None
    vertices = np.empty((len(obj.data.vertices), 3), np.float32)
    obj.data.vertices.foreach_get("co", vertices.reshape(-1))
    return means_of(vertices)
