"""One line about the engine, the cache and the problems of an avatar."""

from __future__ import annotations

from typing import Any

from .. import engines
from ..viewport import stage
from . import store, timer


def status_line(context: Any, obj: Any) -> str:
    """Problems of `obj`, engine and device, megabytes of cached frames, and "out of date" where the
    viewport shows another frame. Cheap: a panel calls it at every redraw."""
    memory, disk = store.store.megabytes()
    cache = f"Cache {memory:.0f} MB" + (f", disk {disk:.0f} MB" if disk else "")
    parts = [*problems(context.scene, obj), f"Engine {engines.status_line()}", cache]
    shown = stage.seen_in(context.scene).get(obj.session_uid) if obj is not None else None
    if shown is not None and shown.stale:
        parts.append("out of date")
    return " | ".join(parts)


def problems(scene: Any, obj: Any) -> list[str]:
    """Why frames of the object in that scene, or of all avatars, are not computed or not cached."""
    service = timer.service()
    if service is None:
        return []
    head = service.head_of(scene, obj) if obj is not None else None
    found = (head.reason if head else "", service.error, store.store.reason)
    return [text for text in dict.fromkeys(found) if text]
