"""Helpers of the tour and the safety session: a scene with the demo head and its speech."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import bpy

from .driver import Session, Wait, check

READY_SECONDS = 60.0  # for the first frame: the engine starts, the network is prepared


def avatar() -> Any:
    found = [obj for obj in bpy.data.objects if obj.egstalker.avatar_path]
    check(found, "an avatar in the file")
    return found[0]


def select(obj: Any) -> None:
    obj.select_set(True)
    bpy.context.view_layer.objects.active = obj


def load_demo(session: Session) -> Wait:
    """Demo avatar and speech in a scene without the default cube, through the operators."""
    cube = bpy.data.objects.get("Cube")
    if cube is not None:
        bpy.data.objects.remove(cube)
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = 25, 1.0
    result = session.call(bpy.ops.egstalker.import_avatar, filepath=session.asset("demo.egs"))
    check(result == {"FINISHED"}, f"an import that finishes, not {result}")
    result = session.call(bpy.ops.egstalker.link_sound_file, filepath=session.asset("demo.wav"))
    check(result == {"FINISHED"}, f"a sound that links, not {result}")
    scene.frame_start, scene.frame_end = 1, 100
    yield from session.redraw()


def frame_view(session: Session) -> Wait:
    session.call(bpy.ops.view3d.view_selected)
    yield from session.redraw()


def stage(session: Session) -> Any:
    return session.module("egstalker_blender.viewport.stage")


def wait_for_head(session: Session, obj: Any = None) -> Wait:
    """Until the viewport shows the current frame of the head, by default of `avatar()`."""
    obj = avatar() if obj is None else obj
    shown = stage(session).shown
    key = obj.session_uid
    yield from session.redraw()  # the timer marks splats of other frames as stale
    yield from session.wait(
        lambda: key in shown() and not shown()[key].stale, READY_SECONDS, f"splats of {obj.name}"
    )
    yield from session.redraw()
    fault = session.module("egstalker_blender.viewport.handler").failure()
    check(not fault, f"heads that are drawn, not: {fault}")


def go_to(session: Session, frame: int) -> Wait:
    """As a click on the timeline does. Waits only for the redraw."""
    bpy.context.scene.frame_set(frame)
    yield from session.redraw()


def set_bake(obj: Any, folder: Path, frames: int) -> None:
    settings = obj.egstalker
    settings.camera_source = "training"
    settings.size_source = "OWN"
    settings.width = settings.height = 96
    settings.range_source = "OWN"
    settings.frame_start, settings.frame_end = 1, frames
    settings.output_path = str(folder)


def start_bake(session: Session) -> None:
    result = session.call(bpy.ops.egstalker.bake, "INVOKE_DEFAULT")
    check(result == {"RUNNING_MODAL"}, f"a bake that runs on, not {result}")


def baked(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.png"))


def timed(action: Any) -> float:
    """Milliseconds that a call blocks Blender."""
    start = time.perf_counter()
    action()
    return (time.perf_counter() - start) * 1000.0
