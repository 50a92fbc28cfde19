"""The sound of a film: the voice of a head, mixed as Blender plays it in its scene.

A copy of the scene, with nothing in it but its sound, is written to a .blend file, which a second
Blender mixes, so that this one does not wait.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from ...core.audio.features import is_feature_file
from ...core.errors import ArgumentError
from ..blocks import file_of
from ..sound.copies import removed, write_scene
from ..sound.elsewhere import Voice
from ..sound.scenes import scene_driving
from ..sound.strips import linked_pieces, linked_strips
from ..sound.windows import frame_rate, mute_others, place_sound


def voice_of(scene: Any, obj: Any, first: int, last: int, folder: Path) -> Voice | None:
    """What drives the object from frame `first` to `last`, as a file in `folder`; volume, fades and
    the scene's own volume are kept, other strips are not heard. None if the object has no sound.
    The scene is copied, never changed. ArgumentError, AudioError, OutputError."""
    props = obj.egstalker
    if props.sound_source == "FILE":
        file = file_of(props.sound_block) if props.sound_file else None
        if file is None or is_feature_file(file):
            return None
        return _voice(scene, file, "", first, last, file.name)
    if props.sound_source == "STRIP" and not props.sound_strip:
        return None
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
        mute_others(copy, names)
        for window in films:  # Blender plays their sound only if it is a strip of its own
            place_sound(copy, window)
        blend = folder / "voice.blend"
        write_scene(copy, blend)
        return _voice(scene, blend, copy.name, first - shift, last - shift, obj.name)


def _voice(scene: Any, source: Path, name: str, first: int, last: int, what: str) -> Voice:
    rate = scene.render.fps, scene.render.fps_base
    return Voice(source, name, first, max(last, first), what, *rate)
