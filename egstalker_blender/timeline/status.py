"""One line about what the viewport shows and who computes it."""

from __future__ import annotations

from typing import Any

from .. import engines
from ..viewport import stage
from . import store, timer


def status_line(context: Any, obj: Any) -> str:
    """Engine and device, megabytes of frames, and whether what is shown of `obj` is out of date;
    first of all what is wrong with it. Cheap: a panel asks at every redraw."""
    parts = [*problems(obj), f"Engine {engines.status_line()}", cache_line()]
    shown = stage.shown().get(obj.session_uid) if obj is not None else None
    if shown is not None and shown.stale:
        parts.append("out of date")
    return " | ".join(parts)


def cache_line() -> str:
    memory, disk = store.store.megabytes()
    return f"Cache {memory:.0f} MB" + (f", disk {disk:.0f} MB" if disk else "")


def problems(obj: Any) -> list[str]:
    """Why the object's frames, or any, are not computed or not kept; empty where all is well."""
    service = timer.service()
    if service is None:
        return []
    head = service.heads.get(obj.session_uid) if obj is not None else None
    found = (head.reason if head else "", service.error, store.store.reason)
    return [text for text in dict.fromkeys(found) if text]
