"""The splats of an avatar at the frame that Blender renders, computed while the render waits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...core.avatar.motion import head_on_body
from ...core.records.gaussians import Splats
from ...core.render.place import moved
from ...core.system.lru import LRU
from .. import engines
from .loaded_heads import LoadedHeads

KEPT = 16  # frames; the view layers of a frame ask for the same sub-frames again


@dataclass(frozen=True, eq=False)
class Exact:
    """key: of the moment, as in the timeline's cache."""

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
        splats = self._exact.get(now.key)
        if splats is None:
            assert head.avatar is not None
            assert head.sound is not None
            splats = engines.viewport_source()().deform(head.avatar, head.sound.track, now.moment)
            place = head_on_body(head.avatar, now.moment.pose)
            splats = splats if place is None else moved(splats, place)
            self._exact.put(now.key, splats)
        return Exact(now.key, splats)
