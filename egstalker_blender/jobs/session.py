"""The one job of its kind in this Blender. It survives undo and opening files, and ends with
Blender. A timer polls it and redraws."""

from __future__ import annotations

from typing import Any

import bpy

from ..exit import ExitHook
from .job import State

TICK = 0.2  # seconds between two polls
REGIONS = {"VIEW_3D": "UI", "PREFERENCES": "WINDOW"}  # areas with panels of jobs -> their region


class Session:
    """The state that panels show of one kind of job. Only `tick` advances it, in the window and in
    tests. Not generic: typing's cache of Session[...] would keep our classes alive after the
    extension is disabled, and then Blender hangs when it quits."""

    def __init__(self) -> None:
        self._exit = ExitHook(self.close, type(self).__module__)
        self._timer = self._on_timer  # Blender identifies a timer by its function object
        self.reset()

    def reset(self) -> None:
        """Forget the last job."""
        self.job: Any = None
        self.state: State | None = None

    @property
    def running(self) -> bool:
        return self.state is not None and self.state.alive

    @property
    def busy(self) -> bool:
        """True while anything of it runs in the background."""
        return self.running

    @property
    def wanted(self) -> bool:
        """True while the timer has to go on."""
        return self.busy

    def start(self, job: Any) -> None:
        self.job = job
        self._poll(job)

    def tick(self) -> bool:
        """Poll the job; False when the timer may end."""
        if self.job is not None and self.running:
            self._poll(self.job)
        return self.wanted

    def _poll(self, job: Any) -> None:
        self.state = job.poll()
        if not self.state.alive:
            self.on_end(job, self.state)

    def on_end(self, job: Any, state: State) -> None:
        """Called when the job has ended in that state."""

    def after_tick(self) -> None:
        """Called between two events of the window, so it may change the scene."""

    def stop(self) -> None:
        if self.job is not None and self.running:
            self.job.stop()
            self._poll(self.job)

    def close(self) -> None:
        """End the job. May be called at any time."""
        if self.job is not None and self.running:
            self.job.close()
            self._poll(self.job)

    def watch(self) -> None:
        """Let Blender's timer poll; without a window there is none, so wait for the end."""
        if bpy.app.background:
            self.run()
        else:
            self.wake()

    def wake(self) -> None:
        """Start Blender's timer, unless it runs; a panel may call it."""
        if not bpy.app.background and not bpy.app.timers.is_registered(self._timer):
            bpy.app.timers.register(self._timer, first_interval=TICK, persistent=True)

    def run(self) -> None:
        """Poll to the end: for scripts and for Blender without a window."""
        while self.tick() and self.busy:
            self.wait(TICK)
        self.after_tick()

    def wait(self, seconds: float) -> None:
        """Return when something has happened, or after that time."""
        if self.job is not None:
            self.job.wait(seconds)

    def register(self) -> None:
        self._exit.register()

    def unregister(self) -> None:
        self._exit.unregister()
        if bpy.app.timers.is_registered(self._timer):
            bpy.app.timers.unregister(self._timer)
        self.close()
        self.reset()

    def _on_timer(self) -> float | None:
        more = self.tick()
        self.after_tick()
        _redraw()
        return TICK if more else None


def _redraw() -> None:
    """Redraw the panels alone: a progress bar does not redraw the 3D views."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            for region in area.regions:
                if region.type == REGIONS.get(area.type):
                    region.tag_redraw()
