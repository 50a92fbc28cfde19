"""The timer on Blender's main thread. It runs while there is work and then ends; the next mark
starts it again."""

from __future__ import annotations

import atexit
import threading
import time
from collections.abc import Callable, Collection
from typing import Any

import bpy

from . import store
from .heads import keys
from .service import Service
from .stopwatch import stopwatch

BUSY, IDLE = 0.015, 0.25  # seconds between two ticks
REST = 2.0  # seconds without anything to do after which the timer ends
SCAN_EVERY = 0.1  # seconds; dragging an object marks the scene at every mouse move
BAR_EVERY = 0.2  # seconds between two redraws of the bar
BAR_AREAS = ("DOPESHEET_EDITOR", "SEQUENCE_EDITOR")


class Marks:
    """What is out of date; handlers set it in any thread. scene: settings of objects. frame: the
    current frame. data: objects may be freed, so known ones may not be used."""

    def __init__(self) -> None:
        self.scene = self.frame = self.data = True


class Loop:
    """clock: returns seconds. ticking: a tick runs now, which marks things itself."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.clock = clock
        self.service = Service(store.store, clock)
        self.marks = Marks()
        self._scanned = self._worked = self._drawn = 0.0
        self._bar: object = None
        self.ticking = False

    def tick(self) -> float | None:
        """Do what is due. Seconds until the next tick, None where the timer ends."""
        now, marks, service = self.clock(), self.marks, self.service
        marked = marks.scene or marks.frame or marks.data
        playing = is_playing()
        self.ticking = True
        try:
            self._scan(now)
            if service.step(playing):
                redraw(("VIEW_3D",))
            surveying = not playing and service.survey()
            self._show_bar(now)
        except ReferenceError:  # deleted since the last scan
            marks.data = True
        else:
            later = marks.scene or marks.frame
            waiting = surveying or later or service.waiting or service.background.busy
            if not (marked or playing or waiting):
                return IDLE if now - self._worked < REST else None
        finally:
            self.ticking = False
        self._worked = now
        return BUSY

    def _scan(self, now: float) -> None:
        marks = self.marks
        changed = marks.scene or marks.data
        if marks.data or ((changed or marks.frame) and now - self._scanned >= SCAN_EVERY):
            marks.scene = marks.frame = marks.data = False
            self._scanned = now
            # Keyframes can hide a head, and a script may link an object and change the frame at
            # once: in both cases Blender calls only the handler of the frame.
            if changed or keys(scenes()) != self.service.heads.keys():
                self.service.scan(scenes())

    def _show_bar(self, now: float) -> None:
        heads = self.service.heads.values()
        state = (store.store.version, [(head.key, len(head.moments)) for head in heads])
        if state != self._bar and now - self._drawn >= BAR_EVERY:
            self._bar, self._drawn = state, now
            redraw(BAR_AREAS)


_loop: Loop | None = None


def service() -> Service | None:
    """None while the extension is off."""
    return _loop.service if _loop else None


def mark(scene: bool = False, frame: bool = False, data: bool = False) -> None:
    """Mark something as out of date, from any thread. Only the main thread starts the timer, since
    Blender's timers are not thread-safe."""
    if _loop is None:
        return
    marks = _loop.marks
    marks.scene, marks.frame, marks.data = (
        marks.scene | scene,
        marks.frame | frame,
        marks.data | data,
    )
    if threading.current_thread() is threading.main_thread() and not _loop.ticking:
        _wake()


def forget() -> None:
    """Before another file is loaded."""
    if _loop is not None:
        _loop.service.forget()


def tick() -> float | None:
    """The function that Blender's timer calls."""
    global _slow
    if _loop is None:
        return None
    with stopwatch.measure("tick"):
        seconds = _loop.tick()
    _slow = seconds != BUSY
    return seconds


_slow = True  # the next tick is IDLE seconds away, or the timer has ended


def _wake() -> None:
    global _slow
    if not _slow:
        return
    _slow = False
    timers = bpy.app.timers
    if timers.is_registered(tick):
        timers.unregister(tick)
    timers.register(tick, first_interval=0.0, persistent=True)


def is_playing() -> bool:
    windows = bpy.context.window_manager.windows
    return any(window.screen.is_animation_playing for window in windows)


def scenes() -> list[tuple[Any, Any]]:
    """(scene, view layer) of each window; without a window, of the context."""
    windows = bpy.context.window_manager.windows
    seen = [(window.scene, window.view_layer) for window in windows]
    return seen or [(bpy.context.scene, bpy.context.view_layer)]


def redraw(types: Collection[str]) -> None:
    """Redraw the areas of these types in all windows."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in types:
                area.tag_redraw()


def _close() -> None:
    global _loop
    loop, _loop = _loop, None
    if loop is not None:
        loop.service.close()


def register(clock: Callable[[], float] = time.perf_counter) -> None:
    """clock: of the loop; a test gives its own."""
    global _loop, _slow
    _loop, _slow = Loop(clock), True
    atexit.register(_close)
    _wake()


def unregister() -> None:
    if bpy.app.timers.is_registered(tick):
        bpy.app.timers.unregister(tick)
    atexit.unregister(_close)
    _close()
    stopwatch.reset()
