"""The sequencer's names in every Blender from 4.5 to 5.2; no other module touches a strip.

5.2 renamed the positions (left_handle for frame_final_start and so on) and warns about the old
names, which 5.1 and earlier have alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy

from ..core.errors import ArgumentError, AudioError


@dataclass(frozen=True)
class StripWindow:
    """What a sound strip plays. left, right: handles in scene frames. skip: the file's time at the
    left handle, seconds, negative where silence comes first. cut: the end of the file is trimmed
    away. packed: the file itself where it is packed into the .blend."""

    name: str
    path: Path
    packed: bytes | None
    left: float
    right: float
    skip: float
    fps: float
    cut: bool
    muted: bool

    @property
    def seconds(self) -> float:
        return (self.right - self.left) / self.fps


def frame_rate(scene: Any) -> float:
    return float(scene.render.fps / scene.render.fps_base)


def sound_strips(scene: Any) -> list[Any]:
    editor = scene.sequence_editor
    return [strip for strip in editor.strips if strip.type == "SOUND"] if editor else []


def window_of_strip(scene: Any, name: str) -> StripWindow:
    """ArgumentError where there is no such strip, AudioError where it cannot be followed.

    The file's time at a frame is (frame - content_start + content_trim_start) / fps - sound_offset.
    """
    strips = {strip.name: strip for strip in sound_strips(scene)}
    if name not in strips:
        known = ", ".join(repr(n) for n in sorted(strips)) or "none"
        raise ArgumentError(f"scene {scene.name!r} has no sound strip {name!r}; it has: {known}")
    strip = strips[name]
    if len(strip.retiming_keys):
        raise AudioError(f"sound strip {name!r} is retimed; mix it down to a file and link that")
    if strip.sound is None:
        raise AudioError(f"sound strip {name!r} has no sound; choose a file for it")
    fps = frame_rate(scene)
    left = float(_get(strip, "left_handle", "frame_final_start"))
    start = _get(strip, "content_start", "frame_start")
    trim = _get(strip, "content_trim_start", "animation_offset_start")
    trim_end = _get(strip, "content_trim_end", "animation_offset_end")
    offset_end = _get(strip, "right_handle_offset", "frame_offset_end")
    sound = strip.sound
    return StripWindow(
        name=name,
        path=Path(bpy.path.abspath(sound.filepath, library=sound.library)),
        packed=bytes(sound.packed_file.data) if sound.packed_file else None,
        left=left,
        right=right_handle(strip),
        skip=(left - start + trim) / fps - strip.sound_offset,
        fps=fps,
        cut=trim_end > 0.5 or offset_end > 0.5,
        muted=strip.mute or scene.sequence_editor.channels[strip.channel].mute,
    )


def add_strip(scene: Any, path: Path, frame: int) -> Any:
    """A new sound strip that starts at `frame`, on the first channel that is free."""
    editor = scene.sequence_editor or scene.sequence_editor_create()
    taken = {strip.channel for strip in editor.strips}
    channel = next(c for c in range(1, len(taken) + 2) if c not in taken)
    return editor.strips.new_sound(path.stem, str(path), channel, frame)


def right_handle(strip: Any) -> float:
    return float(_get(strip, "right_handle", "frame_final_end"))


def _get(strip: Any, name: str, older: str) -> Any:
    return getattr(strip, name) if hasattr(strip, name) else getattr(strip, older)
