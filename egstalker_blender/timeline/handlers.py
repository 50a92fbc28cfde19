"""Blender's handlers: they only mark what is out of date, since a render calls them in a thread of
its own and playback at every frame."""

from __future__ import annotations

from typing import Any

import bpy
from bpy.app.handlers import persistent

from . import pump
from .meter import meter


@persistent
def _on_frame(*_: Any) -> None:
    with meter.measure("frame_change_post"):
        pump.mark(frame=True)


@persistent
def _on_update(*_: Any) -> None:
    with meter.measure("depsgraph_update_post"):
        pump.mark(scene=True)


@persistent
def _on_other_data(*_: Any) -> None:
    """After undo, redo, load: no object that was known may be touched again."""
    with meter.measure("undo_load_post"):
        pump.mark(data=True)


@persistent
def _before_load(*_: Any) -> None:
    pump.forget()


HANDLERS = (
    ("frame_change_post", _on_frame),
    ("depsgraph_update_post", _on_update),
    ("undo_post", _on_other_data),
    ("redo_post", _on_other_data),
    ("load_post", _on_other_data),
    ("save_post", _on_other_data),  # the cache moves beside the .blend
    ("load_pre", _before_load),
)


def register() -> None:
    for name, function in HANDLERS:
        getattr(bpy.app.handlers, name).append(function)


def unregister() -> None:
    for name, function in HANDLERS:
        getattr(bpy.app.handlers, name).remove(function)
