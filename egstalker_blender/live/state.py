"""The objects that a live voice drives; the timeline leaves them out."""

from __future__ import annotations

_keys: set[int] = set()


def is_live(key: int) -> bool:
    """key: the object's session_uid."""
    return key in _keys


def add(key: int) -> None:
    _keys.add(key)


def discard(key: int) -> None:
    _keys.discard(key)
