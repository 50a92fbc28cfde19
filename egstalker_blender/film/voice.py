"""The sound of a film: the voice of a head, mixed as Blender plays it in its scene."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy

from ...core.audio.features import is_feature_file
from ...core.bake.plan import FIRST_FRAME
from ...core.errors import ArgumentError, AudioError
from ..blocks import file_of
from ..sound.mixdown import empty, mix_down, removed
from ..sound.scenes import scene_driving
from ..sound.strips import linked_pieces, linked_strips
from ..sound.windows import add_strip, frame_rate, mute_others, place_sound


def write_voice(scene: Any, obj: Any, first: int, last: int, path: Path) -> bool:
    """Write what drives the object to a WAV file that begins with frame `first` and ends with
    `last`; volume, fades and the scene's own volume are heard, other strips are not. False if the
    object has no sound. The scene is copied, never changed; this blocks until all is mixed.
    ArgumentError, AudioError."""
    props = obj.egstalker
    if props.sound_source == "FILE":
        file = file_of(props.sound_block) if props.sound_file else None
        if file is None or is_feature_file(file):
            return False
        _write_file(scene, file, first, last, path)
        return True
    if props.sound_source == "STRIP" and not props.sound_strip:
        return False
    home, pieces = scene_driving(scene, obj), linked_pieces(scene, obj)
    if frame_rate(home) != frame_rate(scene):
        raise ArgumentError(
            f"scene {home.name!r}, whose sequencer drives {obj.name!r}, has another frame rate "
            f"than {scene.name!r}; give both the same for a film"
        )
    shift = round(pieces[0].window.shift)  # from its frames to those of the film
    films = [
        replace(window, left=window.left - shift, right=window.right - shift)
        for piece in pieces
        if piece.strip.type == "MOVIE" and not (window := piece.window).muted
    ]
    if first < shift:
        raise ArgumentError(
            f"a film cannot begin at frame {first - shift} of the sequencer of {home.name!r}, "
            "because Blender mixes no sound before frame 0; move the shot"
        )
    names = {strip.name for strip in linked_strips(home, obj)}
    copy = home.copy()
    with removed(copy):
        empty(copy)
        mute_others(copy, names)
        for window in films:  # Blender plays their sound only if it is a strip of its own
            place_sound(copy, window)
        mix_down(copy, first - shift, last - shift, obj.name, path)
    return True


def _write_file(scene: Any, file: Path, first: int, last: int, path: Path) -> None:
    alone = bpy.data.scenes.new("egstalker_film")
    with removed(alone):
        alone.render.fps, alone.render.fps_base = scene.render.fps, scene.render.fps_base
        try:
            add_strip(alone, file, FIRST_FRAME)
        except RuntimeError as error:
            raise AudioError(f"{file.name} cannot be part of a film: {error}") from None
        mix_down(alone, first, last, file.name, path)
