"""The splats of an avatar at the frame that Blender renders, computed while the render waits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...core.records.gaussians import Splats
from ...core.render.place import moved
from ...core.system.lru import LRU
from .. import engines
from ..controls.state import head_in_object
from . import origin
from .loaded_heads import LoadedHeads

KEPT = 16  # frames; the view layers of a frame ask for the same sub-frames again


@dataclass(frozen=True, eq=False)
class Exact:
    """key: of the moment, as in the timeline's cache; another one where the head is turned in its
    object."""

    key: str
    splats: Splats


class Frames:
    """What one render has loaded and computed. Frames come from the engine, not from the timeline's
    cache, whose colours are rounded: a picture must not depend on what was looked at before."""

    def __init__(self) -> None:
        self._heads = LoadedHeads()
        self._exact: LRU[str, Splats] = LRU(KEPT)

    def at(self, scene: Any, depsgraph: Any, obj: Any) -> Exact:
        """The avatar at the frame, or the sub-frame, that `depsgraph` has evaluated. EgsError."""
        head = self._heads.get(scene, depsgraph.view_layer, obj)
        now = head.moment_in(depsgraph, float(scene.frame_current_final))
        assert head.avatar is not None
        assert head.sound is not None
        origin.saw(head.avatar)
        place = head_in_object(head.avatar, head.pose, now.moment.pose)
        key = now.key if place is None else f"{now.key} turned"
        splats = self._exact.get(key)
        if splats is None:
            splats = engines.viewport_source()().deform(head.avatar, head.sound.track, now.moment)
            splats = splats if place is None else moved(splats, place)
            self._exact.put(key, splats)
        return Exact(key, splats)
