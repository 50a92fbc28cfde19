"""Access to strips in every Blender from 4.5 to 5.3; no other module touches a strip's times.

Blender 5.2 renamed the positions (left_handle for frame_final_start and so on) and warns about the
old names; 5.1 and earlier have only those.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy

from ...core.errors import ArgumentError, AudioError
from ..paths import stored_path

VOICES = ("SOUND", "MOVIE")  # types of strips that have a sound of their own

ID_KEY = "egstalker_id"  # custom property of strips that drive avatars: their marks, and blanks

SAME_SPEED = 0.002  # 30 and 29.97 are one rate to a mouth, 24 and 25 are not


@dataclass(frozen=True)
class StripWindow:
    """The sound that a strip plays. left, right: handles in scene frames, within those of the meta
    strips around it. skip: the file's time at `left`, seconds, negative if silence comes first.
    cut: the end of the file is trimmed away. packed: the file's bytes if the .blend contains it.
    retimed: its speed changes, so that the file's time is not skip + (frame - left) / fps. scene:
    name of its scene. shift: see scenes.seen_from; frames that were added to left and right. fps:
    of its scene."""

    name: str
    path: Path
    packed: bytes | None
    left: float
    right: float
    skip: float
    fps: float
    cut: bool
    muted: bool
    retimed: bool = False
    scene: str = ""
    shift: float = 0.0

    @property
    def seconds(self) -> float:
        return (self.right - self.left) / self.fps


def frame_rate(scene: Any) -> float:
    return float(scene.render.fps / scene.render.fps_base)


def sound_strips(scene: Any) -> list[Any]:
    """All sound strips, including those inside meta strips."""
    return [strip for strip in all_strips(scene) if strip.type == "SOUND"]


def window_of_strip(scene: Any, name: str) -> StripWindow:
    """ArgumentError if there is no such strip, AudioError if it cannot drive an avatar."""
    strip = strip_named(scene, name)
    reason = why_not(scene, strip, name)
    if strip is None:
        raise ArgumentError(reason)
    if reason:
        raise AudioError(reason)
    return window_of(scene, strip)


def add_strip(scene: Any, path: Path, frame: int) -> Any:
    """A new sound strip that starts at `frame`, on the first channel that is free."""
    editor = scene.sequence_editor or scene.sequence_editor_create()
    taken = {strip.channel for strip in editor.strips}
    channel = next(c for c in range(1, len(taken) + 2) if c not in taken)
    return editor.strips.new_sound(path.stem, stored_path(path), channel, frame)


def right_handle(strip: Any) -> float:
    return float(_get(strip, "right_handle", "frame_final_end"))


def isolate(scene: Any, name: str, first: int) -> None:
    """Prepare a copy of a scene for a mixdown: only this strip sounds, at volume 1, no earlier than
    frame `first`."""
    strip = strip_named(scene, name)
    kept = {name}
    strip.mute, strip.volume, strip.pan = False, 1.0, 0.0
    strip.modifiers.clear()
    outer = strip
    while (parent := outer.parent_meta()) is not None:
        parent.channels[outer.channel].mute = parent.mute = False
        outer = parent
        kept.add(outer.name)
        if hasattr(outer, "volume"):  # since 5.1
            outer.volume = 1.0
    for other in all_strips(scene):
        other.mute = other.name not in kept
    scene.sequence_editor.channels[outer.channel].mute = False
    late = first - _handles(strip)[0]
    if late > 0:
        start = "content_start" if hasattr(outer, "content_start") else "frame_start"
        setattr(outer, start, getattr(outer, start) + late)


def mute_others(scene: Any, names: set[str]) -> None:
    """Mute every strip but those of these names, what is in them and the meta strips around them,
    which stay as they are."""
    strips = all_strips(scene)
    kept = {name for strip in strips if strip.name in names for name in _outward(strip)}
    for strip in strips:
        if strip.name not in kept and names.isdisjoint(_outward(strip)):
            strip.mute = True


def _outward(strip: Any) -> list[str]:
    """The names of a strip and of the meta strips around it."""
    found = []
    while strip is not None:
        found.append(strip.name)
        strip = strip.parent_meta()
    return found


def place_sound(scene: Any, window: StripWindow) -> None:
    """A new sound strip that plays what a window says."""
    strip = add_strip(scene, window.path, round(window.left))
    start = "content_start" if hasattr(strip, "content_start") else "frame_start"
    setattr(strip, start, window.left - window.skip * window.fps)
    ends = ("left_handle", "right_handle")
    if not hasattr(strip, "left_handle"):
        ends = ("frame_final_start", "frame_final_end")
    for end, frame in zip(ends, (window.left, window.right), strict=True):
        setattr(strip, end, round(frame))


def is_mono(scene: Any, name: str) -> bool:
    sound = strip_named(scene, name).sound
    return bool(sound.channels == "MONO" or sound.use_mono)


def window_of(scene: Any, strip: Any, with_packed: bool = True) -> StripWindow:
    """The file's time at a frame is (frame - content_start + content_trim_start) / fps
    - sound_offset."""
    fps = frame_rate(scene)
    left, right = _handles(strip)
    last = right
    muted = strip.mute
    parent, inner = strip.parent_meta(), strip
    while parent is not None:
        muted = muted or parent.channels[inner.channel].mute or parent.mute
        outer = _handles(parent)
        left, right = max(left, outer[0]), min(right, outer[1])
        parent, inner = parent.parent_meta(), parent
    start, trim = content_of(strip)
    trim_end = _get(strip, "content_trim_end", "animation_offset_end")
    offset_end = _get(strip, "right_handle_offset", "frame_offset_end")
    sound = strip.sound if strip.type == "SOUND" else None
    packed = sound.packed_file if sound and with_packed else None
    return StripWindow(
        name=strip.name,
        path=path_of(strip),
        packed=bytes(packed.data) if packed else None,
        left=left,
        right=max(left, right),
        skip=(left - start + trim) / fps - (strip.sound_offset if sound else 0.0),
        fps=fps,
        cut=trim_end > 0.5 or offset_end > 0.5 or right < last,
        muted=bool(muted or scene.sequence_editor.channels[inner.channel].mute),
        retimed=len(getattr(strip, "retiming_keys", ())) > 0,
        scene=scene.name,
    )


def why_not(scene: Any, strip: Any | None, name: str) -> str:
    """The reason why a strip cannot drive a head, empty if it can."""
    if strip is None:
        names = sorted(repr(s.name) for s in all_strips(scene) if s.type in VOICES)
        known = ", ".join(names) or "none"
        return f"scene {scene.name!r} has no sound strip {name!r}; it has: {known}"
    if strip.type == "SCENE":
        return (
            f"strip {name!r} plays scene {_played(strip)!r} without its sound; link a sound strip, "
            "or let it play the sequencer of a scene that has one"
        )
    if strip.type == "META":
        return f"meta strip {name!r} holds no sound strip; link one that does"
    if strip.type not in VOICES:
        return f"strip {name!r} is of type {strip.type.lower()}; link a sound strip"
    if strip.type == "SOUND" and strip.sound is None:
        return f"sound strip {name!r} has no sound; choose a file for it"
    if strip.type == "MOVIE" and not _plays_evenly(scene, strip):
        return f"movie strip {name!r} plays at another speed; link the sound strip of its file"
    return ""


def _plays_evenly(scene: Any, strip: Any) -> bool:
    """True if the movie plays at its own speed. Blender may show its frames one by one at the
    scene's rate instead."""
    if len(strip.retiming_keys) or not strip.fps:
        return False
    left, right = _handles(strip)
    hidden = (
        _get(strip, "left_handle_offset", "frame_offset_start")
        + _get(strip, "right_handle_offset", "frame_offset_end")
    )  # fmt: skip
    speed = _get(strip, "content_duration", "frame_duration") / max(right - left + hidden, 1)
    return bool(abs(speed * frame_rate(scene) / strip.fps - 1) < SAME_SPEED)


def _played(strip: Any) -> str:
    return strip.scene.name if strip.scene else "none"


def all_strips(scene: Any) -> list[Any]:
    editor = scene.sequence_editor
    return list(editor.strips_all) if editor else []


def strip_named(scene: Any, name: str) -> Any:
    """The strip of that name, None if there is none."""
    return next((strip for strip in all_strips(scene) if strip.name == name), None)


def _handles(strip: Any) -> tuple[float, float]:
    return float(_get(strip, "left_handle", "frame_final_start")), right_handle(strip)


def content_of(strip: Any) -> tuple[float, float]:
    """The frame at which a strip's content would begin without its handles, and how many frames of
    the content are trimmed away before that."""
    start = _get(strip, "content_start", "frame_start")
    return float(start), float(_get(strip, "content_trim_start", "animation_offset_start"))


def marks_of(strip: Any) -> list[str]:
    """The marks of the heads that a strip drives."""
    return str(strip.get(ID_KEY, "")).split()


def path_of(strip: Any) -> Path:
    """The file of a strip's sound; an empty path for a strip that has none."""
    if strip.type not in VOICES or (strip.type == "SOUND" and strip.sound is None):
        return Path()
    if strip.type == "MOVIE":
        return Path(bpy.path.abspath(strip.filepath, library=strip.id_data.library))
    return Path(bpy.path.abspath(strip.sound.filepath, library=strip.sound.library))


def _get(strip: Any, name: str, older: str) -> Any:
    return getattr(strip, name) if hasattr(strip, name) else getattr(strip, older)
