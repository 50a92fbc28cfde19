"""Operators of the live microphone: start and stop, list devices, stop by Esc."""

from __future__ import annotations

from typing import Any

import bpy
from bpy.app.handlers import persistent
from bpy.props import EnumProperty, IntProperty

from ...core.errors import EgsError
from ...core.live.session import LOOKAHEAD
from .. import preferences
from ..properties import active_avatar
from ..reasoned import NO_AVATAR
from . import session
from .session import OFF, voice

MAX_LOOKAHEAD = 13
PREFERRED = ("", "System Default", "The system's default input device")

# Blender keeps no reference to the strings of a dynamic list and stores the number of an item, so
# strings and numbers stay the same for the whole session.
_labels: list[str] = [""]
_items: list[tuple[str, str, str, int]] = [("DEFAULT", *PREFERRED[1:], 0)]
_chosen = 0


def device_items(_settings: Any = None, _context: Any = None) -> list[tuple[str, str, str, int]]:
    for device in voice().devices or ():
        if device.label not in _labels:
            number = len(_labels)
            _labels.append(device.label)
            text = f"{device.host}, {device.channels} channels, {device.rate} Hz"
            _items.append((f"DEVICE_{number}", device.name, text, number))
    return _items


def _get_device(_settings: Any) -> int:
    return _chosen


def _set_device(_settings: Any, number: int) -> None:
    global _chosen
    _chosen = number


class EGSTALKER_PG_live(bpy.types.PropertyGroup):
    device: EnumProperty(
        name="Microphone",
        description="Input device that drives the head. Refresh lists the connected devices",
        items=device_items,
        get=_get_device,
        set=_set_device,
    )
    lookahead: IntProperty(
        name="Look-ahead",
        description="Steps of 20 ms for which a frame waits for the following sound. Fewer steps "
        "have less latency and are less exact: with 13 the mouth is as exact as from a sound file, "
        "with 4 a fifth off, with 0 two thirds off",
        default=LOOKAHEAD,
        min=0,
        max=MAX_LOOKAHEAD,
    )


def blocker(context: Any) -> str:
    """Why no live voice can drive the head now, else empty. Cheap: a panel calls it at every
    redraw."""
    if active_avatar(context) is None:
        return NO_AVATAR
    try:
        if preferences.engine_kind() == "builtin" or preferences.worker_python() is None:
            return "Live sound needs the worker; set it up in the preferences"
    except EgsError as error:
        return str(error)
    return ""


class EGSTALKER_OT_live(bpy.types.Operator):
    bl_idname = "egstalker.live"
    bl_label = "Live Microphone"
    bl_description = "Start or stop driving the head by a microphone. Esc stops it, too"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        reason = "" if voice().state != OFF else blocker(context)
        if reason:
            cls.poll_message_set(reason)
        return not reason

    def execute(self, context: Any) -> set[str]:
        if voice().state != OFF:
            voice().stop()
            return {"FINISHED"}
        settings = context.window_manager.egstalker_live
        try:
            voice().start(active_avatar(context), _labels[_chosen], settings.lookahead)
        except EgsError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        session.wake()
        return {"FINISHED"}


class EGSTALKER_OT_live_stop(bpy.types.Operator):
    bl_idname = "egstalker.live_stop"
    bl_label = "Stop Live Microphone"
    bl_description = "Let the timeline drive the head again"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, _context: Any) -> bool:
        if voice().state == OFF:
            cls.poll_message_set("The live microphone is off")
            return False
        return True

    def execute(self, _context: Any) -> set[str]:
        voice().stop()
        return {"FINISHED"}


class EGSTALKER_OT_live_devices(bpy.types.Operator):
    bl_idname = "egstalker.live_devices"
    bl_label = "Refresh"
    bl_description = "List the connected input devices"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        reason = "Stop the live microphone first" if voice().state != OFF else blocker(context)
        if reason:
            cls.poll_message_set(reason)
        return not reason

    def execute(self, _context: Any) -> set[str]:
        try:
            voice().list_devices()
        except EgsError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        session.wake()
        return {"FINISHED"}


@persistent
def _before_load(*_: Any) -> None:
    voice().stop()


CLASSES = (
    EGSTALKER_PG_live,
    EGSTALKER_OT_live,
    EGSTALKER_OT_live_stop,
    EGSTALKER_OT_live_devices,
)
_keys: list[tuple[Any, Any]] = []
_register_classes, _unregister_classes = bpy.utils.register_classes_factory(CLASSES)


def register() -> None:
    _register_classes()
    bpy.types.WindowManager.egstalker_live = bpy.props.PointerProperty(type=EGSTALKER_PG_live)
    bpy.app.handlers.load_pre.append(_before_load)
    configuration = bpy.context.window_manager.keyconfigs.addon
    if configuration is not None:  # None without a window
        keymap = configuration.keymaps.new(name="Window", space_type="EMPTY")
        item = keymap.keymap_items.new(EGSTALKER_OT_live_stop.bl_idname, "ESC", "PRESS")
        _keys.append((keymap, item))


def unregister() -> None:
    for keymap, item in _keys:
        keymap.keymap_items.remove(item)
    _keys.clear()
    bpy.app.handlers.load_pre.remove(_before_load)
    session.close()
    del bpy.types.WindowManager.egstalker_live
    _unregister_classes()
