"""The empties of an avatar: children of its object, found again by a property of their own."""

from __future__ import annotations

from typing import Any

import bpy
from mathutils import Matrix

from ..control_properties import LANDMARK_ITEMS
from ..controls.curves import replace_curves, scene_time
from .gather import Paths

MARK = "egstalker_landmark"  # property of an empty: which landmark it follows
SIZE = 0.02  # metres
LABELS = {name: label for name, label, *_ in LANDMARK_ITEMS}


def empty_of(obj: Any, name: str) -> Any:
    """The avatar's empty of that landmark; None where it has none."""
    return next((one for one in obj.children if one.get(MARK) == name), None)


def write(context: Any, obj: Any, paths: Paths) -> list[Any]:
    """Add the empties that are missing, and key location and rotation of all of them at every frame
    of the paths. Their other curves, names and children stay."""
    times = [scene_time(context.scene, frame) for frame in paths.frames]
    turns = [Matrix(turn).to_euler("XYZ") for turn in paths.turns]
    empties = []
    for number, name in enumerate(paths.names):
        empty = empty_of(obj, name) or _added(context, obj, name)
        empty.rotation_mode = "XYZ"
        replace_curves(
            empty,
            {
                "location": (times, paths.places[:, number].tolist()),
                "rotation_euler": (times, [tuple(turn) for turn in turns]),
            },
        )
        empties.append(empty)
    context.view_layer.update()
    return empties


def _added(context: Any, obj: Any, name: str) -> Any:
    empty = bpy.data.objects.new(f"{obj.name} {LABELS[name]}", None)
    empty.empty_display_type, empty.empty_display_size = "ARROWS", SIZE
    empty.parent = obj
    empty[MARK] = name
    context.collection.objects.link(empty)
    return empty
