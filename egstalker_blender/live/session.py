"""A live voice in a session of Blender: what a timer does on the main thread. Whatever blocks is
done by a thread of its own; what is drawn goes to the viewport's stage."""

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
from ..controls.state import state_now
from ..timeline import pump
from ..viewport import stage
from . import state as live_state

log = logging.getLogger(base_package)

TICK = 0.01  # seconds
PACE = 0.02  # seconds between two frames at least: a step of sound

OFF, STARTING, ON = "off", "starting", "on"


def open_microphone(engine: Engine) -> Any:
    from ...core.engine.microphone import (
        microphone_of,  # it brings the engines' modules, slow to import
    )

    return microphone_of(engine)


@dataclass(frozen=True, eq=False)
class Begun:
    avatar: Avatar
    microphone: Any
    device: str


class LiveVoice:
    """state: OFF, STARTING or ON. name: of the object that it drives. reason: why it is off though
    it was wanted, empty otherwise. device: the one that records. report: of the last frame, its
    latency up to now counted; None before the first. devices: what was connected when last asked,
    None before that."""

    def __init__(self) -> None:
        self.state, self.name, self.reason, self.device = OFF, "", "", ""
        self.report: Report | None = None
        self.devices: list[Device] | None = None
        self._background = Background()
        self._key = 0
        self._turn = 0
        self._asked = 0.0
        self._begun: Begun | None = None

    def start(self, obj: Any, device: str, lookahead: int) -> None:
        """device: a label, "" for the preferred one. InputError where the object is no avatar; what
        goes wrong later is in `reason`."""
        self.stop()
        path, digest = gather.absolute(obj.egstalker.avatar_path, obj), obj.egstalker.content_hash
        source = engines.viewport_source()

        def begin() -> Begun:
            from ...core.bake.loop import load_checked

            avatar = load_checked(path, digest)
            microphone = open_microphone(source())
            return Begun(avatar, microphone, microphone.start(avatar, device, lookahead))

        self.state, self.name, self.reason, self._key = STARTING, obj.name, "", obj.session_uid
        live_state.hold(self._key)
        self._want("start", begin)

    def list_devices(self) -> None:
        """Ask the worker what is connected; only while nothing is live."""
        self.reason = ""
        source = engines.viewport_source()
        self._want("devices", lambda: open_microphone(source()).devices())

    def stop(self, reason: str = "") -> None:
        """Back to the timeline. May be called at any time."""
        begun, self._begun = self._begun, None
        if self.state != OFF:
            live_state.release(self._key)
            self._turn += 1
            pump.mark(scene=True, frame=True)
        self.state, self.report, self.reason = OFF, None, reason
        if begun:
            self._want("stop", begun.microphone.stop)

    def tick(self) -> float | None:
        """Show what is ready, ask for the next. Seconds to the next tick, None where it is over."""
        for done in self._background.take():
            self._take(done)
        if self.state == ON and not self._background.busy:
            self._ask()
        return TICK if self.state != OFF or self._background.busy else None

    def settle(self, seconds: float) -> bool:
        """Wait for the thread; False where it takes longer."""
        return self._background.settle(seconds)

    def close(self) -> None:
        self.stop()
        self._background.close()

    def _want(self, what: str, work: Callable[[], object]) -> None:
        self._asked = time.monotonic()
        self._background.want([Task((what, self._turn, self._asked), work)])

    def _take(self, done: Finished) -> None:
        what, turn = done.name[:2] if isinstance(done.name, tuple) else ("", 0)
        if done.error is not None and not isinstance(done.error, EgsError):
            log.error("live sound failed", exc_info=done.error)
        if turn != self._turn:  # stopped meanwhile
            if isinstance(done.value, Begun) and self.state == OFF:
                self._want("stop", done.value.microphone.stop)
        elif done.error is not None:
            self.stop(str(done.error) or type(done.error).__name__)
            pump.redraw(("VIEW_3D",))
        elif what == "devices":
            self.devices = done.value if isinstance(done.value, list) else []
            pump.redraw(("VIEW_3D",))
        elif isinstance(done.value, Begun):
            self._begun, self.device, self.state = done.value, done.value.device, ON
        elif what == "frame":
            self._show(done.value)

    def _show(self, made: Any) -> None:
        frame, ready = made
        waited = 1000 * (time.monotonic() - ready)
        self.report = replace(frame.report, latency_ms=frame.report.latency_ms + waited)
        stage.put(self._key, frame.splats)
        pump.redraw(("VIEW_3D",))

    def _ask(self) -> None:
        begun, obj = self._begun, self._object()
        if obj is None or begun is None:
            self.stop("The object was deleted")
            stage.remove(self._key)
            return
        if time.monotonic() - self._asked < PACE:
            return
        try:
            moment = self._moment(obj, begun.avatar)
        except EgsError as error:
            self.stop(str(error))
            return
        self._want(
            "frame", lambda: (begun.microphone.frame(begun.avatar, moment), time.monotonic())
        )

    def _object(self) -> Any:
        """Undo replaces objects and a user renames them; the key stays."""
        obj = bpy.data.objects.get(self.name)
        if obj is None or obj.session_uid != self._key:
            obj = next((o for o in bpy.data.objects if o.session_uid == self._key), None)
        if obj is None or not obj.users_scene:
            return None
        self.name = obj.name
        return obj

    def _moment(self, obj: Any, avatar: Avatar) -> Moment:
        """The controls as they are now; what plays by the sound's time plays by the live one's."""
        seconds = self.report.seconds if self.report else 0.0
        state = replace(state_now(bpy.context.evaluated_depsgraph_get(), obj), audio_offset=0.0)
        pose = obj.egstalker.pose_source
        return gather.moment_of(avatar, pose, state, seconds * ROW_RATE, 0.0, ROW_RATE)


_voice: LiveVoice | None = None


def voice() -> LiveVoice:
    """The session's; it holds nothing until it is started."""
    global _voice
    if _voice is None:
        _voice = LiveVoice()
    return _voice


def wake() -> None:
    """Tick from now on until there is nothing to do."""
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
