"""Hands the exact frame to the clouds while Blender renders, and stops a render that has none.

Blender calls `frame_change_post` for each view layer at every frame and, with motion blur, at the
sub-frames of the shutter, with the render's own depsgraph. By then drivers, constraints and
animation are evaluated; what the handler tags is evaluated again before the picture is drawn.
Outside a render the handler returns at once.

A cloud is empty except while Blender renders or a 3D view shows it, also in the saved .blend, so
that no face can be frozen. In a scene with a render layer, which draws the heads, clouds stay
empty.
"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import bpy
from bpy.app.handlers import persistent

from ...core.errors import ArgumentError
from ...core.records.arrays import Float32
from ...core.render.footprint import PixelWidth, dilated
from .. import handlers
from . import cloud, failure, layer_tree, native
from .native_frames import Exact, Frames
from .pixel import pixel_width


@dataclass
class Written:
    """What a cloud holds. key: of the moment. pixel: see pixel_width, as bytes. sh: the harmonics;
    the same array holds the same numbers, because splats are never changed."""

    key: str
    pixel: bytes
    sh: Float32


@dataclass
class Render:
    """One render. failure: why it has no head, empty while it has."""

    frames: Frames = field(default_factory=Frames)
    written: dict[int, Written] = field(default_factory=dict)
    failure: str = ""

    def hand_over(self, scene: Any, depsgraph: Any) -> None:
        """Write the frame that `depsgraph` has evaluated into the clouds of its avatars, for the
        scene's camera. EgsError where one cannot be computed, or two that differ share a cloud."""
        shown = [obj for obj in native.avatars() if _is_rendered(obj, depsgraph)]
        shared = Counter(native.cloud_of(obj).session_uid for obj in shown)
        keys: dict[int, str] = {}
        for obj in shown:
            data = native.cloud_of(obj)
            if data.library is not None:  # Blender 5.3.0 draws it in views, not in renders
                raise ArgumentError(
                    f"{obj.name!r} is linked, and Blender renders no splats of a library; make a "
                    "library override of it, or bake the frames"
                )
            exact = self.frames.at(scene, depsgraph, obj)
            uid = data.session_uid
            if keys.setdefault(uid, exact.key) != exact.key:
                raise ArgumentError(
                    f"{obj.name!r} shares its splats with another avatar that speaks differently; "
                    "make it local, or give it a library override"
                )
            pixel = pixel_width(scene, depsgraph, obj) if shared[uid] == 1 else None
            self._write(data, exact, pixel)

    def _write(self, data: Any, exact: Exact, pixel: PixelWidth | None) -> None:
        uid, last = data.session_uid, self.written.get(data.session_uid)
        new = Written(exact.key, b"" if pixel is None else pixel.tobytes(), exact.splats.sh)
        is_same = last is not None and (last.key, last.pixel) == (new.key, new.pixel)
        if is_same and not cloud.is_empty(data):
            return
        splats = exact.splats if pixel is None else dilated(exact.splats, pixel)
        cloud.write(data, splats, last is None or last.sh is not new.sh)
        self.written[uid] = new


def _is_rendered(obj: Any, depsgraph: Any) -> bool:
    return native.is_rendered(obj) and obj.evaluated_get(depsgraph).is_evaluated


_render: Render | None = None


def empty_clouds() -> None:
    """Remove the splats of all clouds of this file. A 3D view that shows one has it written
    again."""
    for obj in native.avatars():
        cloud.empty(native.cloud_of(obj))


@persistent
def _on_init(*_: Any) -> None:
    global _render
    _render = Render()
    failure.reset()
    if threading.current_thread() is threading.main_thread():
        native.separate()


@persistent
def _on_frame(scene: Any, depsgraph: Any = None) -> None:
    global _render
    if depsgraph is None or depsgraph.mode != "RENDER":
        failure.show()
        return
    if layer_tree.is_on(scene):
        empty_clouds()  # a 3D view may have filled them
        return
    if _render is None:  # baking textures begins without render_init
        _render = Render()
    if _render.failure:
        return
    try:
        _render.hand_over(scene, depsgraph)
    except Exception as error:  # Blender would print it and render the last frame again
        _render.failure = failure.fail(scene, error)
        empty_clouds()


@persistent
def _on_end(*_: Any) -> None:
    global _render
    _render = None
    empty_clouds()


@persistent
def _before_save(*_: Any) -> None:
    empty_clouds()


@persistent
def _after_update(*_: Any) -> None:
    _copies.look()


class Copies:
    """Looks for copies of avatars only where the number of objects changed: Blender reports every
    change of the scene here."""

    def __init__(self) -> None:
        self.count = -1

    def look(self) -> None:
        if len(bpy.data.objects) != self.count and not bpy.app.is_job_running("RENDER"):
            native.separate()
            self.count = len(bpy.data.objects)


_copies = Copies()


HANDLERS = (
    ("render_init", _on_init),
    ("frame_change_post", _on_frame),
    ("render_complete", _on_end),
    ("render_cancel", _on_end),
    ("save_pre", _before_save),
    ("depsgraph_update_post", _after_update),
)


def register() -> None:
    if native.SUPPORTED:
        handlers.add(HANDLERS)


def unregister() -> None:
    if native.SUPPORTED:
        handlers.remove(HANDLERS)
