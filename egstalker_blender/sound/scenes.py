"""A head that the sequencer of another scene drives: which scene, and which of its frames is which.

Blender plays a scene strip frame by frame, whatever the rates of both scenes: the sequencer's clock
counts. So a frame of the head's scene lasts as long as one of the sequencer's scene.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import bpy

from ...core.errors import ArgumentError, AudioError
from .windows import StripWindow, all_strips, content_of, marks_of, window_of


def sequencer_scene(context: Any) -> Any:
    """The scene whose strips the user edits. Since 5.0 a workspace may show those of another scene
    than the window's."""
    return getattr(context.workspace, "sequencer_scene", None) or context.scene


def show_sequencer(context: Any) -> None:
    """Let the sequencers of the workspace show the scene's strips if they show none yet."""
    workspace = context.workspace
    if hasattr(workspace, "sequencer_scene") and workspace.sequencer_scene is None:
        workspace.sequencer_scene = context.scene


def scene_driving(scene: Any, obj: Any) -> Any:
    """The scene whose sequencer drives the object: the one that it names, even if that was renamed,
    else the object's own, `scene`. ArgumentError if it is not there."""
    props = obj.egstalker
    if not props.sound_scene:
        return scene
    found = bpy.data.scenes.get(props.sound_scene)
    if found is not None:
        return found
    for other in bpy.data.scenes if props.sound_strip_id else ():
        if any(props.sound_strip_id in marks_of(strip) for strip in all_strips(other)):
            return other
    there = ", ".join(sorted(repr(other.name) for other in bpy.data.scenes))
    raise ArgumentError(
        f"scene {props.sound_scene!r}, whose sequencer drives {obj.name!r}, does not exist; "
        f"choose one of: {there}"
    )


def seen_from(scene: Any, home: Any) -> Callable[[StripWindow], StripWindow]:
    """What makes of the window of a strip of scene `home` that in the frames of `scene`. Looks
    through the strips of `home` once. AudioError where the strip that shows `scene` is retimed."""
    shift = 0.0 if home == scene else _shift(scene, home)

    def seen(window: StripWindow) -> StripWindow:
        if not shift:
            return window
        return replace(window, left=window.left + shift, right=window.right + shift, shift=shift)

    return seen


def _shift(scene: Any, home: Any) -> float:
    """What to add to a frame of `home` to get the frame of `scene` that it shows: by the first
    strip that shows the scene's camera; 0 without one."""
    shown = [
        (window_of(home, strip), strip)
        for strip in all_strips(home)
        if strip.type == "SCENE" and strip.scene == scene and strip.scene_input == "CAMERA"
    ]
    playing = [pair for pair in shown if not pair[0].muted] or shown
    if not playing:
        return 0.0
    window, strip = min(playing, key=lambda pair: pair[0].left)
    if window.retimed:
        raise AudioError(
            f"strip {strip.name!r}, which shows scene {scene.name!r}, is retimed; remove its "
            "retiming"
        )
    start, trim = content_of(strip)
    return scene.frame_start - start + trim
