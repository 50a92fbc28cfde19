"""The live voice of a Blender session. A timer on the main thread requests frames and puts the
finished ones on the viewport's stage; a background thread makes all calls that block."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import bpy

from ... import __package__ as base_package
from ...core.engine.background import Background, Finished, Task
from ...core.engine.interface import Engine
from ...core.errors import EgsError
from ...core.live.session import Report
from ...core.live.source import Device
from ...core.records.avatar import Avatar
from ...core.records.moment import Moment
from ...core.records.timeline import ROW_RATE
from .. import engines, gather
from ..blocks import file_of
from ..controls.state import head_in_object, state_now
from ..timeline import timer
from ..viewport import stage
from . import state as live_state

log = logging.getLogger(base_package)

TICK = 0.01  # seconds
PACE = 0.02  # seconds between two frames, at least: a step of sound

OFF, STARTING, ON = "off", "starting", "on"


def open_microphone(engine: Engine) -> Any:
    from ...core.engine.microphone import microphone_of  # imports the engines, which is slow

    return microphone_of(engine)


@dataclass(frozen=True, eq=False)
class Started:
    avatar: Avatar
    microphone: Any
    device: str


class LiveVoice:
    """state: OFF, STARTING or ON. name: of the object that it drives. reason: why it stopped by
    itself or did not start, else empty. device: label of the one that records. report: of the last
    frame, with the latency until it was shown; None before the first. devices: the connected ones
    at the last `list_devices`, None before. clock: returns seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.state, self.name, self.reason, self.device = OFF, "", "", ""
        self.report: Report | None = None
        self.devices: list[Device] | None = None
        self._clock = clock
        self._background = Background()
        self._key = 0
        self._start_number = 0
        self._requested = 0.0
        self._started: Started | None = None

    def start(self, obj: Any, device: str, lookahead: int) -> None:
        """device: a label, "" for the system's default. lookahead: steps of 20 ms. InputError where
        the object is no avatar; `reason` has later errors."""
        self.stop()
        path, digest = file_of(obj.egstalker.avatar_block), obj.egstalker.content_hash
        source = engines.viewport_source()

        def start() -> Started:
            from ...core.bake.loop import load_checked

            avatar = load_checked(path, digest)
            microphone = open_microphone(source())
            return Started(avatar, microphone, microphone.start(avatar, device, lookahead))

        self.state, self.name, self.reason, self._key = STARTING, obj.name, "", obj.session_uid
        live_state.add(self._key)
        self._want("start", start)

    def list_devices(self) -> None:
        """Have the worker list the devices. Only while the state is OFF."""
        self.reason = ""
        source = engines.viewport_source()
        self._want("devices", lambda: open_microphone(source()).devices())

    def stop(self, reason: str = "") -> None:
        """Let the timeline drive the head again. May be called in any state."""
        started, self._started = self._started, None
        if self.state != OFF:
            live_state.discard(self._key)
            self._start_number += 1
            timer.mark(scene=True, frame=True)
        self.state, self.report, self.reason = OFF, None, reason
        if started:
            self._want("stop", started.microphone.stop)

    def tick(self) -> float | None:
        """Show the finished frame, request the next one. Seconds until the next tick, None where
        the timer ends."""
        for done in self._background.take():
            self._take(done)
        if self.state == ON and not self._background.busy:
            self._request_frame()
        return TICK if self.state != OFF or self._background.busy else None

    def settle(self, seconds: float) -> bool:
        """Wait until the thread has nothing to do; False where that takes longer than `seconds`."""
        return self._background.settle(seconds)

    def close(self) -> None:
        self.stop()
        self._background.close()

    def _want(self, what: str, work: Callable[[], object]) -> None:
        self._requested = self._clock()
        self._background.want([Task((what, self._start_number, self._requested), work)])

    def _take(self, done: Finished) -> None:
        what, number = done.name[:2] if isinstance(done.name, tuple) else ("", 0)
        if done.error is not None and not isinstance(done.error, EgsError):
            log.error("live sound failed", exc_info=done.error)
        if number != self._start_number:  # of an earlier start
            if isinstance(done.value, Started) and self.state == OFF:
                self._want("stop", done.value.microphone.stop)
        elif done.error is not None:
            self.stop(str(done.error) or type(done.error).__name__)
            timer.redraw(("VIEW_3D",))
        elif what == "devices":
            self.devices = done.value if isinstance(done.value, list) else []
            timer.redraw(("VIEW_3D",))
        elif isinstance(done.value, Started):
            self._started, self.device, self.state = done.value, done.value.device, ON
        elif what == "frame":
            self._show(done.value)

    def _show(self, made: Any) -> None:
        frame, place, finished_at = made
        waited = 1000 * (self._clock() - finished_at)
        self.report = replace(frame.report, latency_ms=frame.report.latency_ms + waited)
        stage.put(self._key, frame.splats, place=place)
        timer.redraw(("VIEW_3D",))

    def _request_frame(self) -> None:
        started, obj = self._started, self._object()
        if obj is None or started is None:
            self.stop("The object was deleted")
            stage.remove(self._key)
            return
        if self._clock() - self._requested < PACE:
            return
        try:
            moment = self._moment(obj, started.avatar)
        except EgsError as error:
            self.stop(str(error))
            return

        pose = obj.egstalker.pose_source
        place = head_in_object(started.avatar, pose, moment.pose)

        def frame() -> tuple[Any, ...]:
            return started.microphone.frame(started.avatar, moment), place, self._clock()

        self._want("frame", frame)

    def _object(self) -> Any:
        """The driven object. Undo replaces it and the user may rename it; session_uid stays."""
        obj = bpy.data.objects.get(self.name)
        if obj is None or obj.session_uid != self._key:
            obj = next((o for o in bpy.data.objects if o.session_uid == self._key), None)
        if obj is None or not obj.users_scene:
            return None
        self.name = obj.name
        return obj

    def _moment(self, obj: Any, avatar: Avatar) -> Moment:
        """The current controls, at the time of the live sound."""
        seconds = self.report.seconds if self.report else 0.0
        state = replace(state_now(bpy.context.evaluated_depsgraph_get(), obj), audio_offset=0.0)
        pose = obj.egstalker.pose_source
        return gather.moment_of(avatar, pose, state, seconds * ROW_RATE, 0.0, ROW_RATE)


_voice: LiveVoice | None = None


def voice() -> LiveVoice:
    """The live voice of this session, created on first use."""
    global _voice
    if _voice is None:
        _voice = LiveVoice()
    return _voice


def wake() -> None:
    """Start the timer, which ends once there is nothing to do."""
    if not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=TICK, persistent=True)


def close() -> None:
    global _voice
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    if _voice is not None:
        _voice.close()
        _voice = None


def _tick() -> float | None:
    return voice().tick()
