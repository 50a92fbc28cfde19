"""Helpers of the timeline's tests. Without a window Blender calls no timer: the tests do, and time
passes only when they say so."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import pytest
from egstalker.egstalker_blender import preferences
from egstalker.egstalker_blender.preferences import CacheBudget
from egstalker.egstalker_blender.timeline import store, timer
from egstalker.egstalker_blender.timeline.service import Service
from egstalker.egstalker_blender.viewport import stage

LIMIT = 60.0  # seconds for a thread to do its work, on a busy machine
ROUND = 2 * timer.SCAN_EVERY  # seconds that pass in a round of `settle`


@dataclass
class Clock:
    """A clock that only `advance` moves. now: seconds."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Iterator[Clock]:
    """Restart the timer loop with this clock."""
    clock = Clock()
    timer.unregister()
    timer.register(clock)
    yield clock
    timer.unregister()
    timer.register()


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
def talking(fake: Any, head: Any, budget: Any, clock: Clock) -> Iterator[Any]:
    """The avatar of `head`, driven by the fake engine, at frame 5, nothing computed yet. Undo can
    go back to here."""
    store.store.memory.clear()
    store.store.disk = None
    bpy.context.scene.frame_set(5)
    bpy.context.view_layer.update()
    timer.mark(data=True)
    bpy.ops.ed.undo_push(message="talking")
    yield head
    assert service().background.settle(LIMIT)


def service() -> Service:
    found = timer.service()
    assert found is not None
    return found


def settle(rounds: int = 40) -> None:
    """Let time pass on the `clock` of the test, and tick until nothing is wanted any more."""
    clock = service().clock
    assert isinstance(clock, Clock)
    for _ in range(rounds):
        clock.advance(ROUND)
        timer.tick()
        assert service().background.settle(LIMIT)
        if timer.tick() != timer.BUSY:
            return
    raise AssertionError("the timer did not come to rest")


@contextmanager
def blocked(engine: Any) -> Iterator[threading.Event]:
    """The fake engine finishes no frame inside. Yields an event that is set once it begins one."""
    begun, opened, deform = threading.Event(), threading.Event(), engine.deform

    def wait(*args: Any) -> Any:
        begun.set()
        assert opened.wait(LIMIT)
        return deform(*args)

    engine.deform = wait
    try:
        yield begun
    finally:
        engine.deform = deform
        opened.set()


def tick_until(event: threading.Event) -> None:
    """Tick while the timer's thread works, until it sets the event."""
    for _ in range(round(LIMIT / timer.BUSY)):
        timer.tick()
        if event.wait(timer.BUSY):
            return
    raise AssertionError("the thread did not come so far")


def shown(obj: Any) -> Any:
    return stage.shown().get(obj.session_uid)


def seconds_of(moments: list[Any]) -> list[float]:
    return [round(moment.seconds * 25, 3) for moment in moments]


def head_of(obj: Any) -> Any:
    return service().heads[obj.session_uid]
