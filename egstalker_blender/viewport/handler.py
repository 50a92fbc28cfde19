"""The draw handlers of the 3D view, and the handlers that free what they created."""

from __future__ import annotations

import logging
from typing import Any

import blf
import bpy
import gpu
import numpy as np
from bpy.app.handlers import persistent

from ..render import native_view
from . import stage
from .draw import Renderer
from .gather import entries_of, instanced, instances_of, items_of, known, visible
from .view import View

log = logging.getLogger(__name__)

MARGIN = 12  # around the line about stale heads, in points of the interface
TEXT_SIZE = 11
STALE_COLOUR = (1.0, 0.7, 0.2, 1.0)


class Session:
    """What is kept between redraws. failure: why drawing stopped, empty while it works; failed: the
    heads that were shown then. handles: of the draw callbacks. pruned: number of objects and stage
    keys at the last `prune`."""

    def __init__(self) -> None:
        self.renderer = Renderer()
        self.failure = ""
        self.failed: frozenset[stage.Key] = frozenset()
        self.handles: list[Any] = []
        self.pruned: tuple[int, frozenset[stage.Key]] = (0, frozenset())

    def draw(self, context: Any) -> None:
        """Draw one region. An error would occur again at every redraw, so drawing stops after the
        first one until other heads are shown or another file is loaded."""
        heads = frozenset(stage.shown())
        if (self.failure and heads == self.failed) or context.space_data is None:
            return
        self.failure = ""
        try:
            self._draw(context)
        except Exception as error:  # Blender would print it at every redraw
            self.failure, self.failed = str(error) or type(error).__name__, heads
            log.exception("drawing of heads stopped until other heads are shown")
            self.renderer.release()

    def _draw(self, context: Any) -> None:
        space, scene, layer = context.space_data, context.scene, context.view_layer
        shown = stage.seen_in(scene)
        objects, inner = known(layer, shown), instanced(layer, shown)
        if not objects and not inner:
            self.renderer.update(())
            return
        seen = [*visible(objects, layer, space), *inner]
        natively = [obj for obj in seen if native_view.draws(obj, scene, space)]
        for obj in natively:
            native_view.refresh(obj)
        if len(natively) == len(seen):
            return  # another view may show them
        ours = [obj for obj in seen if obj not in natively]
        inside, direct = ([o for o in ours if (o in inner) == which] for which in (True, False))
        instances = instances_of(inside, layer.depsgraph, space, shown)
        items = [*items_of(direct, layer.depsgraph, shown), *instances]
        self.renderer.update(entries_of(shown, [*objects, *inner], instances))
        size = context.preferences.system.pixel_size
        self.renderer.draw(current_view(), items, size, knows_meshes(context.space_data))

    def label(self, context: Any) -> None:
        """Draw a line at the bottom of the region that names the stale heads."""
        if self.failure or context.space_data is None:
            return
        shown, layer = stage.seen_in(context.scene), context.view_layer
        stale = [obj for obj in known(layer, shown) if shown[obj.session_uid].stale]
        names = ", ".join(obj.name for obj in visible(stale, layer, context.space_data))
        if names:
            scale = context.preferences.system.ui_scale
            blf.size(0, TEXT_SIZE * scale)
            blf.color(0, *STALE_COLOUR)
            blf.position(0, _left(context.area) + MARGIN * scale, MARGIN * scale, 0)
            blf.draw(0, f"{names}: waiting for this frame")

    def prune(self) -> None:
        """Drop the splats of deleted objects. Every change of the scene calls this, so the objects
        are looked through only where their number or the heads that are shown differ."""
        state = (len(bpy.data.objects), frozenset(stage.shown()))
        if state == self.pruned:
            return
        self.pruned = state
        alive = {obj.session_uid for obj in bpy.data.objects}
        for key in list(stage.shown()):
            if (key if isinstance(key, int) else key[0]) not in alive:
                stage.remove(key)
        if not stage.shown():
            self.renderer.release()

    def forget(self) -> None:
        """Free everything, and forget the failure, before another file is loaded."""
        self.failure = ""
        stage.clear()
        self.renderer.release()


_session = Session()


def current_view() -> View:
    """Matrices and size of the region that Blender draws now, also in a viewport render."""
    _, _, width, height = gpu.state.viewport_get()
    return View(
        np.array(gpu.matrix.get_model_view_matrix(), np.float64),
        np.array(gpu.matrix.get_projection_matrix(), np.float64),
        width,
        height,
    )


def knows_meshes(space: Any) -> bool:
    """True where the region's depth buffer contains meshes. With overlays off, EEVEE and Cycles
    leave it at 0 (in Blender 5.2), and a depth test would hide all heads. space: SpaceView3D."""
    return space.overlay.show_overlays or space.shading.type in {"SOLID", "WIREFRAME"}


def failure() -> str:
    """Why drawing stopped; empty while it works."""
    return _session.failure


def _left(area: Any) -> float:
    """Width in pixels of the toolbar that covers the left of the area's region."""
    return max((r.width for r in area.regions if r.type == "TOOLS" and r.x == area.x), default=0)


def _on_view() -> None:
    _session.draw(bpy.context)


def _on_pixel() -> None:
    _session.label(bpy.context)


@persistent
def _before_load(*_: Any) -> None:
    _session.forget()


@persistent
def _after_update(*_: Any) -> None:
    if stage.shown():
        _session.prune()


def register() -> None:
    add = bpy.types.SpaceView3D.draw_handler_add
    _session.handles = [
        add(_on_view, (), "WINDOW", "POST_VIEW"),
        add(_on_pixel, (), "WINDOW", "POST_PIXEL"),
    ]
    bpy.app.handlers.load_pre.append(_before_load)
    bpy.app.handlers.depsgraph_update_post.append(_after_update)


def unregister() -> None:
    bpy.app.handlers.depsgraph_update_post.remove(_after_update)
    bpy.app.handlers.load_pre.remove(_before_load)
    for handle in _session.handles:
        bpy.types.SpaceView3D.draw_handler_remove(handle, "WINDOW")
    _session.handles = []
    _session.forget()
