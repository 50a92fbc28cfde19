"""The controls at each of the frames of a bake."""

from __future__ import annotations

import math
from collections.abc import Sequence, Set
from dataclasses import replace
from typing import Any

from ...core.errors import ArgumentError
from ..camera import render_size, scene_camera
from ..meshes import meshes_before
from .state import State, animation_of, state_now

MOST_MESH_BYTES = 1 << 30  # of a bake; a picture of 512 x 512 has at most 1 MB


def states_at(
    context: Any,
    obj: Any,
    frames: Sequence[float],
    with_camera: bool,
    size: tuple[int, int] | None,
    instance: str = "",
    with_meshes: Set[float] = frozenset(),
) -> list[State]:
    """The state at each of the frames, whole or not. with_camera: with the scene's camera at that
    size, None for the render size. instance: see camera.world_of. with_meshes: the frames at which
    meshes before the head are looked for. Steps the scene only if it must: for the camera, or for
    controls that something other than F-curves moves. ArgumentError for more meshes than fit into
    memory."""
    scene = context.scene
    if not with_camera:
        animation = animation_of(scene, context.evaluated_depsgraph_get(), obj)
        if animation is not None:
            return [animation.at(number) for number in frames]
    size = size or render_size(scene)
    before, subframe = scene.frame_current, scene.frame_subframe
    states, mesh_bytes = [], 0
    try:
        for number in frames:
            step_to(scene, number)
            depsgraph = context.evaluated_depsgraph_get()
            camera = None
            if with_camera:
                camera = scene_camera(scene, depsgraph, obj, size, instance)
            state = state_now(depsgraph, obj, camera)
            if camera is not None and number in with_meshes:
                meshes = meshes_before(depsgraph, obj, camera, instance)
                mesh_bytes += 0 if meshes is None else meshes.depth.nbytes
                state = replace(state, meshes=meshes)
            if mesh_bytes > MOST_MESH_BYTES:
                raise ArgumentError(
                    f"meshes hide too much of too many pictures ({len(frames)} frames); bake fewer "
                    "frames at a time, or turn off Hidden by Meshes"
                )
            states.append(state)
    finally:
        scene.frame_set(before, subframe=subframe)
    return states


def step_to(scene: Any, frame: float) -> None:
    """Evaluate the scene at a frame, whole or not."""
    whole = math.floor(frame)
    scene.frame_set(whole, subframe=frame - whole)
