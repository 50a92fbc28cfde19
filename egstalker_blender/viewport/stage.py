"""What the viewport shows: the last finished splats of every avatar.

The timeline fills it, draw callbacks only read it, both on Blender's main thread. Nothing is copied
and nothing may be changed after it was put.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import count
from types import MappingProxyType

from ...core.records.gaussians import Splats


@dataclass(frozen=True, eq=False)
class Shown:
    """stale: a newer moment was asked for and is not ready. version: another number for every
    `put` of the session, so that textures are made once for each."""

    splats: Splats
    stale: bool
    version: int


_shown: dict[int, Shown] = {}
_versions = count(1)


def put(key: int, splats: Splats, stale: bool = False) -> None:
    """Show these splats. key: the object's session_uid."""
    _shown[key] = Shown(splats, stale, next(_versions))


def mark_stale(key: int) -> None:
    """What is shown is no longer what was asked for. Unknown keys are ignored."""
    shown = _shown.get(key)
    if shown is not None and not shown.stale:
        _shown[key] = replace(shown, stale=True)


def remove(key: int) -> None:
    """Unknown keys are ignored."""
    _shown.pop(key, None)


def clear() -> None:
    _shown.clear()


def shown() -> Mapping[int, Shown]:
    """A live view: key -> what is shown."""
    return MappingProxyType(_shown)
