"""The heads that a depsgraph shows, each at its place: avatars, and their instances."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...core.records.arrays import Float64
from ..properties import is_avatar

Key = tuple[int, int, int]
"""session_uid of the avatar; that of the object that instances it, 0 for the avatar itself; which
one it is of several such instances."""


@dataclass(frozen=True, eq=False)
class Seen:
    """key: the same at every frame and in every depsgraph. obj: the avatar. world: (4, 4) matrix of
    its place. by: name of the object that instances it, empty for the avatar itself."""

    key: Key
    obj: Any
    world: Float64
    by: str = ""

    @property
    def name(self) -> str:
        return self.by or str(self.obj.name)


def seen_in(depsgraph: Any) -> list[Seen]:
    """What the depsgraph shows; not what others in it merely need."""
    found, count = [], Counter[tuple[int, int]]()
    for shown in depsgraph.object_instances:
        obj = shown.object.original
        if obj is None or not is_avatar(obj) or not shown.show_self:
            continue
        if shown.object.type != obj.type:  # geometry that modifiers add to it
            continue
        parent = shown.parent.original if shown.is_instance else None
        pair = obj.session_uid, parent.session_uid if parent else 0
        world = np.array(shown.matrix_world, np.float64)
        found.append(Seen((*pair, count[pair]), obj, world, parent.name if parent else ""))
        count[pair] += 1
    return found


def avatars_of(layer: Any) -> list[Any]:
    """Every avatar of a view layer that is not disabled in renders, and every one that it shows an
    instance of."""
    found = [obj for obj in layer.objects if is_avatar(obj) and not obj.hide_render]
    found += [seen.obj for seen in seen_in(_evaluated(layer)) if seen.by]
    return list(dict.fromkeys(found))


def places_of(layer: Any, obj: Any) -> list[Seen]:
    """Where an avatar of a view layer stands now: itself, also where views do not show it, and the
    instances that they show."""
    depsgraph = _evaluated(layer)
    found = [seen for seen in seen_in(depsgraph) if seen.obj == obj and seen.by]
    if any(each == obj for each in layer.objects):
        world = np.array(obj.evaluated_get(depsgraph).matrix_world, np.float64)
        found.append(Seen((obj.session_uid, 0, 0), obj, world))
    return found


def _evaluated(layer: Any) -> Any:
    if layer.depsgraph is None:
        layer.update()
    return layer.depsgraph
