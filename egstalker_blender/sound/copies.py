"""Copies of scenes with nothing in them but their sound, for a second Blender that mixes it
(elsewhere.py). The user's scenes are not changed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bpy

from ...core.errors import OutputError
from .windows import StripWindow, isolate

# Types of strips that name other data-blocks, which would be written, too.
WITH_BLOCKS = ("SCENE", "MOVIECLIP", "MASK", "TEXT")


@contextmanager
def alone(window: StripWindow) -> Iterator[Any]:
    """A copy of the strip's scene in which it alone sounds."""
    scene = bpy.data.scenes[window.scene].copy()
    with removed(scene):
        scene.animation_data_clear()
        scene.use_audio, scene.audio_volume = True, 1.0
        isolate(scene, window.name, first=0)
        yield scene


@contextmanager
def removed(scene: Any) -> Iterator[None]:
    """Removes the scene at the end, and the scenes and sounds that came with it."""
    scenes, sounds = set(bpy.data.scenes) - {scene}, set(bpy.data.sounds)
    try:
        yield
    finally:
        for extra in set(bpy.data.scenes) - scenes:
            bpy.data.scenes.remove(extra)
        for sound in set(bpy.data.sounds) - sounds:
            bpy.data.sounds.remove(sound)


def write_scene(scene: Any, blend: Path) -> None:
    """Write a copied scene with its sound alone to a .blend file, which gets what the scene uses:
    of the scenes whose sequencers it plays, copies of the same kind. Call it in `removed`.
    OutputError."""
    _empty(scene)
    _bare_strips(scene.sequence_editor, (scene,), {})
    try:
        bpy.data.libraries.write(str(blend), {scene}, path_remap="ABSOLUTE")
    except (RuntimeError, OSError) as error:
        raise OutputError(f"its sound cannot be written to {blend.parent}: {error}") from None


def _bare_strips(owner: Any, around: tuple[Any, ...], copies: dict[Any, Any]) -> None:
    """Of the strips of a sequencer or a meta strip, remove those that are not heard and would bring
    other data with them, and let scene strips play copies. around: the scenes outside; one that
    plays itself is not heard. copies: made so far, by the original."""
    for name in [strip.name for strip in owner.strips] if owner else ():
        strip = owner.strips.get(name)
        if strip is None:  # an effect that was removed with its strip
            continue
        if not _is_kept(strip, around):
            owner.strips.remove(strip)
        elif strip.type == "META":
            _bare_strips(strip, around, copies)
        elif strip.type == "SCENE":
            played = strip.scene
            if played not in copies:
                copies[played] = played.copy()
                _empty(copies[played])
                inner = copies[played].sequence_editor
                _bare_strips(inner, (*around, played), copies)
            strip.scene, strip.scene_camera = copies[played], None


def _is_kept(strip: Any, around: tuple[Any, ...]) -> bool:
    if strip.type == "SCENE":
        # Blender crashes when it mixes one that plays no scene. One that shows the scene's camera
        # is silent, unless another strip plays the sequencer of that scene.
        plays = strip.scene is not None and strip.scene not in around
        return not strip.mute and strip.scene_input == "SEQUENCER" and plays
    packed = strip.type == "SOUND" and strip.sound and strip.sound.packed_file
    return not (strip.mute and (packed or strip.type in WITH_BLOCKS or strip.type == "META"))


def _empty(scene: Any) -> None:
    """Let go of all that a copied scene uses but its sequencer."""
    for child in list(scene.collection.children):
        scene.collection.children.unlink(child)
    for obj in list(scene.collection.objects):
        scene.collection.objects.unlink(obj)
    scene.camera = scene.world = scene.background_set = None
    scene.timeline_markers.clear()  # each may name a camera
    if scene.rigidbody_world is not None:
        scene.rigidbody_world.collection = scene.rigidbody_world.constraints = None
    if bpy.app.version >= (5, 3):
        for effect in list(scene.compositor_effects):
            scene.compositor_effects.remove(effect)
    elif bpy.app.version >= (5, 0):
        scene.compositing_node_group = None
    elif scene.node_tree is not None:  # a copy of its own
        scene.node_tree.nodes.clear()
