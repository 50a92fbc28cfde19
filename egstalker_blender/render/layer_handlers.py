"""Fills the images of the render layer while Blender renders a scene that has one.

`render_pre` comes before Blender evaluates the frame, and may step the scene for motion blur;
`frame_change_post` comes with the render's own depsgraph, once for each view layer, and with it
camera and controls are exact. The compositor runs after both. Outside a render the images are
empty, also in the saved .blend, so that no face can be frozen. Without the frame a render stops
(see failure.py).
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

import bpy
from bpy.app.handlers import persistent

from ...core.errors import EngineError
from .. import handlers
from . import failure, layer_group, layer_tree
from .layer_frames import Frame, LayerFrames


@dataclass
class Render:
    """One render. frame: the one that Blender renders now. filled: the images hold it. failed:
    there is no head from here on."""

    frames: LayerFrames = field(default_factory=LayerFrames)
    frame: Frame | None = None
    filled: bool = False
    failed: bool = False


_render: Render | None = None


def empty_images() -> None:
    """Remove the heads from the images of this file."""
    for group in bpy.data.node_groups:
        if group.get(layer_group.KEY):
            layer_group.empty(group)


@persistent
def _on_init(*_: Any) -> None:
    global _render
    _render = Render()
    failure.reset()


@persistent
def _on_pre(scene: Any, *_: Any) -> None:
    failure.begin_frame(scene)  # of native renders, too
    if _render is None or _render.failed or not layer_tree.is_on(scene):
        return
    _render.frame, _render.filled = None, False
    try:
        _render.frame = _render.frames.begin(scene)
    except Exception as error:  # Blender would print it and render the last frame again
        _fail(_render, scene, error)


@persistent
def _on_frame(scene: Any, depsgraph: Any = None) -> None:
    if depsgraph is None or depsgraph.mode != "RENDER":
        failure.show()
        return
    if _render is None or _render.frame is None or _render.failed:
        return
    frame = _render.frame
    if scene.frame_current_final != frame.number:
        return  # a sub-frame, for the motion blur of meshes
    try:
        if _render.frames.add(scene, depsgraph, frame) or not _render.filled:
            layer_group.write(layer_tree.group_of(scene), frame.heads())
            _render.filled = True
    except Exception as error:  # as above
        _fail(_render, scene, error)


@persistent
def _on_post(scene: Any, *_: Any) -> None:
    """A frame that Blender rendered without asking for its heads shows those of another."""
    if _render is None or _render.failed or _render.filled or not layer_tree.is_on(scene):
        return
    _fail(_render, scene, EngineError("Blender did not ask for the heads of this frame"))


@persistent
def _on_end(*_: Any) -> None:
    global _render
    _render = None
    if threading.current_thread() is threading.main_thread():
        empty_images()
    else:  # images that a window shows are freed where it draws
        bpy.app.timers.register(empty_images, first_interval=0.0)


@persistent
def _after_load(*_: Any) -> None:
    """The last render was of another file."""
    failure.reset()


@persistent
def _before_save(*_: Any) -> None:
    empty_images()


def _fail(render: Render, scene: Any, error: Exception) -> None:
    render.failed = True
    failure.fail(scene, error)
    layer_group.empty(layer_tree.group_of(scene))


HANDLERS = (
    ("render_init", _on_init),
    ("render_pre", _on_pre),
    ("frame_change_post", _on_frame),
    ("render_post", _on_post),
    ("render_complete", _on_end),
    ("render_cancel", _on_end),
    ("load_post", _after_load),
    ("save_pre", _before_save),
)


def register() -> None:
    handlers.add(HANDLERS)


def unregister() -> None:
    handlers.remove(HANDLERS)
