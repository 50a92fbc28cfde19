"""The splats that the viewport shows, by avatar.

The timeline and the live voice put them here, draw callbacks read them, all on Blender's main
thread. Nothing is copied, so splats must not change after `put`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import count
from types import MappingProxyType

from ...core.records.arrays import Float64
from ...core.records.gaussians import Splats


@dataclass(frozen=True, eq=False)
class Shown:
    """stale: the splats of a newer moment are requested and not ready. version: different for each
    `put` of the session, so that textures are uploaded once for each. place (4, 4): from the
    splats' frame to the object's, decimetres, where a head turns on its body; else None."""

    splats: Splats
    stale: bool
    version: int
    place: Float64 | None = None


_shown: dict[int, Shown] = {}
_versions = count(1)


def put(key: int, splats: Splats, stale: bool = False, place: Float64 | None = None) -> None:
    """Show these splats. key: the object's session_uid. place: see Shown."""
    _shown[key] = Shown(splats, stale, next(_versions), place)


def mark_stale(key: int) -> None:
    """Mark the shown splats as stale. Unknown keys are ignored."""
    shown = _shown.get(key)
    if shown is not None and not shown.stale:
        _shown[key] = replace(shown, stale=True)


def remove(key: int) -> None:
    """Show no splats for this key. Unknown keys are ignored."""
    _shown.pop(key, None)


def clear() -> None:
    _shown.clear()


def shown() -> Mapping[int, Shown]:
    """A read-only, live view of the stage, by key."""
    return MappingProxyType(_shown)
