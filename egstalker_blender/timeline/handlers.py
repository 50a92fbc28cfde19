"""Blender's handlers. They only mark what is out of date: playback calls them at every frame, and a
render calls them in its own thread."""

from __future__ import annotations

from typing import Any

from bpy.app.handlers import persistent

from .. import handlers
from . import timer
from .stopwatch import stopwatch


@persistent
def _on_frame(*_: Any) -> None:
    with stopwatch.measure("frame_change_post"):
        timer.mark(frame=True)


@persistent
def _on_update(*_: Any) -> None:
    with stopwatch.measure("depsgraph_update_post"):
        timer.mark(scene=True)


@persistent
def _on_other_data(*_: Any) -> None:
    """After undo, redo, load and save: objects found before may be freed."""
    with stopwatch.measure("undo_load_post"):
        timer.mark(data=True)


@persistent
def _before_load(*_: Any) -> None:
    timer.forget()


HANDLERS = (
    ("frame_change_post", _on_frame),
    ("depsgraph_update_post", _on_update),
    ("undo_post", _on_other_data),
    ("redo_post", _on_other_data),
    ("load_post", _on_other_data),
    ("save_post", _on_other_data),  # the cache folder is next to the .blend
    ("load_pre", _before_load),
)


def register() -> None:
    handlers.add(HANDLERS)


def unregister() -> None:
    handlers.remove(HANDLERS)
