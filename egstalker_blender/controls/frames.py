"""The controls at each of the frames of a bake."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..camera import render_size, scene_camera
from .state import State, animation_of, state_now


def states_at(
    context: Any,
    obj: Any,
    frames: Sequence[float],
    with_camera: bool,
    size: tuple[int, int] | None,
    instance: str = "",
) -> list[State]:
    """The state at each of the frames, whole or not. with_camera: with the scene's camera at that
    size, None for the render size. instance: see camera.world_of. Steps the scene only if it must:
    for the camera, or for controls that something other than F-curves moves."""
    scene = context.scene
    if not with_camera:
        animation = animation_of(scene, context.evaluated_depsgraph_get(), obj)
        if animation is not None:
            return [animation.at(number) for number in frames]
    size = size or render_size(scene)
    before, subframe = scene.frame_current, scene.frame_subframe
    states = []
    try:
        for number in frames:
            step_to(scene, number)
            depsgraph = context.evaluated_depsgraph_get()
            camera = None
            if with_camera:
                camera = scene_camera(scene, depsgraph, obj, size, instance)
            states.append(state_now(depsgraph, obj, camera))
    finally:
        scene.frame_set(before, subframe=subframe)
    return states


def step_to(scene: Any, frame: float) -> None:
    """Evaluate the scene at a frame, whole or not."""
    whole = math.floor(frame)
    scene.frame_set(whole, subframe=frame - whole)
