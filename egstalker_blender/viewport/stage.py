"""The splats that the viewport shows, by avatar, and by scene where windows show it in several.

The timeline and the live voice put them here, draw callbacks read them, all on Blender's main
thread. Nothing is copied, so splats must not change after `put`.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, replace
from itertools import count
from types import MappingProxyType
from typing import Any

from ...core.records.arrays import Float64
from ...core.records.gaussians import Splats

Key = int | tuple[int, int]
"""The object's session_uid; in the scenes of further windows, with that of the scene."""


@dataclass(frozen=True, eq=False)
class Shown:
    """stale: the splats of a newer moment are requested and not ready. version: different for each
    `put` of the session, so that textures are uploaded once for each. place (4, 4): from the
    splats' frame to the object's, decimetres, where a head turns on its body; else None."""

    splats: Splats
    stale: bool
    version: int
    place: Float64 | None = None


_shown: dict[Key, Shown] = {}
_versions = count(1)


def key_of(obj: Any, scene: Any = None) -> Key:
    """scene: that of a further window; None for the first."""
    return obj.session_uid if scene is None else (obj.session_uid, scene.session_uid)


def put(key: Key, splats: Splats, stale: bool = False, place: Float64 | None = None) -> None:
    """Show these splats. place: see Shown."""
    _shown[key] = Shown(splats, stale, next(_versions), place)


def mark_stale(key: Key) -> None:
    """Mark the shown splats as stale. Unknown keys are ignored."""
    shown = _shown.get(key)
    if shown is not None and not shown.stale:
        _shown[key] = replace(shown, stale=True)


def remove(key: Key) -> None:
    """Show no splats for this key. Unknown keys are ignored."""
    _shown.pop(key, None)


def clear() -> None:
    _shown.clear()


def keep_scenes(keys: Container[Key]) -> None:
    """Of the scenes of further windows keep those of these keys alone."""
    for key in [key for key in _shown if not isinstance(key, int) and key not in keys]:
        del _shown[key]


def shown() -> Mapping[Key, Shown]:
    """A read-only, live view of the stage, by key."""
    return MappingProxyType(_shown)


def seen_in(scene: Any) -> dict[int, Shown]:
    """What the views of that scene show, by the objects' session_uid."""
    found = {key: shown for key, shown in _shown.items() if isinstance(key, int)}
    own = scene.session_uid
    found |= {key[0]: s for key, s in _shown.items() if not isinstance(key, int) and key[1] == own}
    return found
