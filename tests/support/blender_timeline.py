"""Helpers of the timeline's tests. They call the timer, because none fires without a window."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bpy
import pytest
from egstalker.egstalker_blender import preferences
from egstalker.egstalker_blender.preferences import CacheBudget
from egstalker.egstalker_blender.timeline import pump, store
from egstalker.egstalker_blender.timeline.service import Service
from egstalker.egstalker_blender.viewport import stage

LIMIT = 10.0


@pytest.fixture
def budget(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """Sets the preferences' cache; without a call nothing goes to disk."""

    def set_budget(memory_mb: int = 100, disk_mb: int = 0) -> None:
        folder = tmp_path / "frames"
        monkeypatch.setattr(
            preferences, "cache_budget", lambda: CacheBudget(memory_mb, disk_mb, folder)
        )

    set_budget()
    return set_budget


@pytest.fixture
def talking(fake: Any, head: Any, budget: Any) -> Iterator[Any]:
    """The avatar of `head`, driven by the fake engine, at frame 5, nothing computed yet."""
    store.store.memory.clear()
    store.store.disk = None
    bpy.context.scene.frame_set(5)
    bpy.context.view_layer.update()
    pump.mark(data=True)
    yield head
    service().background.settle(LIMIT)


def service() -> Service:
    found = pump.service()
    assert found is not None
    return found


def settle(ticks: int = 80) -> None:
    """Tick until nothing is wanted any more."""
    for _ in range(ticks):
        pump.tick()
        assert service().background.settle(LIMIT)
        if pump.tick() != pump.BUSY:
            return
        time.sleep(pump.SCAN_EVERY / 5)
    raise AssertionError("the pump did not come to rest")


def shown(obj: Any) -> Any:
    return stage.shown().get(obj.session_uid)


def seconds_of(moments: list[Any]) -> list[float]:
    return [round(moment.seconds * 25, 3) for moment in moments]


def head_of(obj: Any) -> Any:
    return service().heads[obj.session_uid]
