"""Clouds in the 3D view. Rendered and material shading draw them, lit and shadowed as in a render,
so our own drawing is off there.

A draw callback that sees an old cloud asks for a new one; a timer of the main thread writes it from
the stage. Nothing is written while Blender renders, because then the clouds are the render's.
"""

from __future__ import annotations

from typing import Any

import bpy
from bpy.app.handlers import persistent

from ...core.render.place import moved
from .. import handlers
from ..viewport import stage
from . import cloud, native

_versions: dict[int, int] = {}  # session_uid of a cloud -> stage.Shown.version of its splats


def draws(obj: Any, scene: Any, space: Any) -> bool:
    """True where this 3D view draws the avatar's cloud. Workbench does not, because the object is
    shown as a box. space: SpaceView3D."""
    shading = space.shading.type
    if shading == "RENDERED" and scene.render.engine == "BLENDER_WORKBENCH":
        return False
    return shading in {"RENDERED", "MATERIAL"} and native.is_viewed(obj)


def refresh(obj: Any) -> None:
    """Have the cloud written soon, if it does not hold what the stage shows. For draw callbacks."""
    if _is_late(obj) and not bpy.app.timers.is_registered(write_late):
        bpy.app.timers.register(write_late, first_interval=0.0)


def write_late() -> None:
    """Write the clouds that do not hold what the stage shows; the timer calls it once."""
    if bpy.app.is_job_running("RENDER"):
        return
    for obj in native.avatars():
        if native.is_viewed(obj) and _is_late(obj):
            shown, data = stage.shown()[obj.session_uid], native.cloud_of(obj)
            splats = shown.splats if shown.place is None else moved(shown.splats, shown.place)
            cloud.write(data, splats)
            _versions[data.session_uid] = shown.version


def _is_late(obj: Any) -> bool:
    shown, data = stage.shown().get(obj.session_uid), native.cloud_of(obj)
    if shown is None:
        return False
    return cloud.is_empty(data) or _versions.get(data.session_uid) != shown.version


@persistent
def _forget(*_: Any) -> None:
    """Undo and redo bring back what a cloud held before."""
    _versions.clear()


HANDLERS = [(name, _forget) for name in ("undo_post", "redo_post", "load_post")]


def register() -> None:
    handlers.add(HANDLERS)


def unregister() -> None:
    handlers.remove(HANDLERS)
    if bpy.app.timers.is_registered(write_late):
        bpy.app.timers.unregister(write_late)
    _versions.clear()
