"""Which objects a live voice drives now: the timeline leaves these alone."""

from __future__ import annotations

_keys: set[int] = set()


def is_live(key: int) -> bool:
    """key: the object's session_uid."""
    return key in _keys


def hold(key: int) -> None:
    _keys.add(key)


def release(key: int) -> None:
    _keys.discard(key)
