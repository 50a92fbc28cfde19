"""A thin bar in the timeline, dope sheet and sequencer: the cached frames of the active avatar."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import bpy
import gpu
from gpu_extras.batch import batch_for_shader

from ..properties import active_avatar
from . import store, timer, wanted
from .stopwatch import stopwatch

HEIGHT = 4  # pixels of the interface
COLOURS = {"memory": (0.25, 0.65, 0.95, 0.9), "disk": (0.25, 0.45, 0.6, 0.9)}
EMPTY = (0.1, 0.1, 0.1, 0.5)
SPACES = ("SpaceDopeSheetEditor", "SpaceSequenceEditor")

Run = tuple[int, int, str]

_handles: list[tuple[Any, Any]] = []


def runs(first: int, last: int, place: Callable[[int], str]) -> Iterator[Run]:
    """(first, last, place) of each run of consecutive frames that are cached in the same place."""
    start = first
    for number in range(first, last + 1):
        if number == last or place(number + 1) != place(start):
            yield start, number, place(start)
            start = number + 1


def cached_runs(scene: Any, obj: Any, first: int, last: int) -> list[Run]:
    """Runs of frames from first to last, by where they are cached: "memory", "disk" or "" (not)."""
    service = timer.service()
    head = service.head_of(scene, obj) if service and obj is not None else None
    if head is None or last < first:
        return []
    places = {
        n: store.store.place_of(at.key) for n, at in head.moments.items() if first <= n <= last
    }
    return list(runs(first, last, lambda number: places.get(number, "")))


def _draw() -> None:
    context = bpy.context
    region = context.region
    obj = active_avatar(context)
    if obj is None or region is None or region.type != "WINDOW":
        return
    with stopwatch.measure("bar"):
        view = region.view2d
        left, right = view.region_to_view(0, 0)[0], view.region_to_view(region.width, 0)[0]
        start, end = wanted.frame_range(context.scene)
        found = cached_runs(context.scene, obj, max(start, int(left) - 1), min(end, int(right) + 1))
        if found:
            _draw_runs(found, view, context.preferences.system.ui_scale)


def _draw_runs(found: list[Run], view: Any, scale: float) -> None:
    def x_of(frame: float) -> float:
        return float(view.view_to_region(frame, 0, clip=False)[0])

    boxes: dict[tuple[float, float, float, float], list[tuple[float, float]]] = {}
    for first, last, place in found:
        colour = COLOURS.get(place, EMPTY)
        boxes.setdefault(colour, []).append((x_of(first - 0.5), x_of(last + 0.5)))
    top = HEIGHT * scale
    shader = gpu.shader.from_builtin("UNIFORM_COLOR")
    gpu.state.blend_set("ALPHA")
    try:
        for colour, spans in boxes.items():
            corners = [c for a, b in spans for c in ((a, 0.0), (b, 0.0), (b, top), (a, top))]
            starts = range(0, len(corners), 4)
            faces = [f for i in starts for f in ((i, i + 1, i + 2), (i, i + 2, i + 3))]
            batch = batch_for_shader(shader, "TRIS", {"pos": corners}, indices=faces)
            shader.uniform_float("color", colour)
            batch.draw(shader)
    finally:
        gpu.state.blend_set("NONE")


def register() -> None:
    for name in SPACES:
        space = getattr(bpy.types, name)
        _handles.append((space, space.draw_handler_add(_draw, (), "WINDOW", "POST_PIXEL")))


def unregister() -> None:
    for space, handle in _handles:
        space.draw_handler_remove(handle, "WINDOW")
    _handles.clear()
