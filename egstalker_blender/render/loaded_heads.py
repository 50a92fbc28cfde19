"""The avatars that a render shows, each with its file and sound loaded while the render waits."""

from __future__ import annotations

from typing import Any

from ...core.errors import InputError
from ..timeline import timer
from ..timeline.heads import Head
from ..timeline.sources import Sources

LOADS = 3  # the avatar, then its sound, then both are there


class LoadedHeads:
    """Of one render."""

    def __init__(self) -> None:
        self._sources = Sources()
        self._heads: dict[tuple[int, int], Head] = {}

    def get(self, scene: Any, layer: Any, obj: Any) -> Head:
        """The head with everything loaded, read again from the scene's settings. EgsError."""
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
    known = service.head_of(head.scene, head.obj) if service else None
    if known is None or known.avatar is None or known.sound is None:
        return
    if (known.avatar_name, known.voice_name) == (head.avatar_name, head.voice_name):
        head.avatar, head.sound = known.avatar, known.sound
