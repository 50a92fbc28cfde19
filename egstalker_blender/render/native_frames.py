"""The splats of an avatar at the frame that Blender renders, computed while the render waits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...core.avatar.motion import head_on_body
from ...core.errors import InputError
from ...core.network.skinning import moved
from ...core.records.gaussians import Splats
from ...core.system.lru import LRU
from .. import engines
from ..timeline import timer
from ..timeline.heads import Head
from ..timeline.sources import Sources

KEPT = 16  # frames; the view layers of a frame ask for the same sub-frames again
LOADS = 3  # the avatar, then its sound, then both are there


@dataclass(frozen=True, eq=False)
class Exact:
    """key: of the moment, as in the timeline's cache."""

    key: str
    splats: Splats


class Frames:
    """What one render has loaded and computed. Frames come from the engine, not from the timeline's
    cache, whose colours are rounded: a picture must not depend on what was looked at before."""

    def __init__(self) -> None:
        self._sources = Sources()
        self._heads: dict[tuple[int, int], Head] = {}
        self._exact: LRU[str, Splats] = LRU(KEPT)

    def at(self, scene: Any, depsgraph: Any, obj: Any) -> Exact:
        """The avatar at the frame, or the sub-frame, that `depsgraph` has evaluated. EgsError."""
        head = self._head(scene, depsgraph.view_layer, obj)
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

    def _head(self, scene: Any, layer: Any, obj: Any) -> Head:
        """The head with everything loaded, read again from the scene's settings."""
        place = obj.session_uid, scene.session_uid
        head = self._heads.setdefault(place, Head(obj.session_uid, obj, scene, layer))
        head.link(scene, layer, obj)
        _take_loaded(head)
        for _ in range(LOADS):
            if head.load(self._sources):
                return head
            self._sources.load_here()
        raise InputError(head.reason or f"avatar {obj.name!r} could not be loaded")


def _take_loaded(head: Head) -> None:
    """Spare what the timeline has loaded already."""
    service = timer.service()
    known = service.heads.get(head.uid) if service else None
    if known is None or known.avatar is None or known.sound is None:
        return
    if (known.avatar_name, known.voice_name) == (head.avatar_name, head.voice_name):
        head.avatar, head.sound = known.avatar, known.sound
