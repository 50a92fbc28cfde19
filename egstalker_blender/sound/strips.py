"""Access to strips in every Blender from 4.5 to 5.2; no other module touches a strip.

5.2 renamed the positions (left_handle for frame_final_start and so on) and warns about the old
names; 5.1 and earlier have only those.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import bpy

from ...core.errors import ArgumentError, AudioError

ID_KEY = "egstalker_id"  # custom property of a strip that drives an avatar
VOICES = ("SOUND", "MOVIE")  # types of strips that can drive one

SAME_SPEED = 0.002  # 30 and 29.97 are one rate to a mouth, 24 and 25 are not


@dataclass(frozen=True)
class StripWindow:
    """The sound that a strip plays. left, right: handles in scene frames, within those of the meta
    strips around it. skip: the file's time at `left`, seconds, negative if silence comes first.
    cut: the end of the file is trimmed away. packed: the file's bytes if the .blend contains it.
    retimed: its speed changes, so that the file's time is not skip + (frame - left) / fps. scene:
    name of its scene."""

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

    @property
    def seconds(self) -> float:
        return (self.right - self.left) / self.fps


def frame_rate(scene: Any) -> float:
    return float(scene.render.fps / scene.render.fps_base)


def sound_strips(scene: Any) -> list[Any]:
    """All sound strips, including those inside meta strips."""
    return [strip for strip in _all(scene) if strip.type == "SOUND"]


def window_of_strip(scene: Any, name: str) -> StripWindow:
    """ArgumentError if there is no such strip, AudioError if it cannot drive an avatar."""
    strip = _named(scene, name)
    reason = _why_not(scene, strip, name)
    if strip is None:
        raise ArgumentError(reason)
    if reason:
        raise AudioError(reason)
    return _window(scene, strip)


def linked_window(scene: Any, obj: Any) -> StripWindow:
    """The strip that drives the object, even if it was renamed. Errors as window_of_strip."""
    strip = linked_strip(scene, obj)
    return window_of_strip(scene, strip.name if strip else obj.egstalker.sound_strip)


def linked_strip(scene: Any, obj: Any) -> Any | None:
    """Finds the strip by its mark, or by its name if it has no mark or a copy has the same one."""
    props = obj.egstalker
    named = _named(scene, props.sound_strip)
    if not props.sound_strip_id or (named and named.get(ID_KEY) == props.sound_strip_id):
        return named
    marked = (strip for strip in _all(scene) if strip.get(ID_KEY) == props.sound_strip_id)
    return next(marked, named)


def mark(scene: Any, name: str) -> str:
    """The mark of that strip, made if it has none; empty if there is no such strip."""
    strip = _named(scene, name)
    if strip is None:
        return ""
    if not strip.get(ID_KEY) and scene.library is None:
        strip[ID_KEY] = uuid4().hex
    return str(strip.get(ID_KEY, ""))


def settle_marks(scene: Any, objects: Iterable[Any]) -> None:
    """Call after an edit of the sequencer: a strip that was copied keeps its mark, the copy loses
    it, and objects store the new name of a renamed strip."""
    marked: dict[str, list[Any]] = {}
    for strip in _all(scene):
        if strip.get(ID_KEY):
            marked.setdefault(strip[ID_KEY], []).append(strip)
    for obj in objects if marked else ():
        props = obj.egstalker
        bearers = marked.get(props.sound_strip_id, [])
        if not bearers or not obj.is_editable:
            continue
        strip = next((b for b in bearers if b.name == props.sound_strip), bearers[0])
        for other in bearers:
            if other.name != strip.name:
                del other[ID_KEY]
        marked[props.sound_strip_id] = [strip]
        if props.sound_strip != strip.name:
            key = props.sound_strip_id
            props.sound_strip = strip.name
            props.sound_strip_id = key  # the name's update callback may have changed it


def link_problem(scene: Any, obj: Any) -> str:
    """The reason why the object's strip cannot drive it, empty if it can. Cheap: for panels."""
    strip = linked_strip(scene, obj)
    reason = _why_not(scene, strip, obj.egstalker.sound_strip)
    if strip is None or reason:
        return reason
    path = _path(strip)
    packed = strip.type == "SOUND" and strip.sound.packed_file
    return "" if packed or path.is_file() else f"The sound of strip {strip.name!r} is not at {path}"


def fingerprint(scene: Any, obj: Any) -> Hashable:
    """A value that changes whenever the voice of the object has to be decoded again. Cheap: it
    opens no file and copies no sound. Valid in this session alone."""
    props = obj.egstalker
    fps = frame_rate(scene)
    if props.sound_source == "FILE":
        if not props.sound_file:
            return None
        path = Path(bpy.path.abspath(props.sound_file, library=obj.library))
        return ("FILE", *_state(path), fps)
    if not props.sound_strip:
        return None
    strip = linked_strip(scene, obj)
    if strip is None or _why_not(scene, strip, strip.name):
        return ("NONE", props.sound_strip, _why_not(scene, strip, props.sound_strip))
    sound = strip.sound if strip.type == "SOUND" else None
    packed = (sound.session_uid, sound.packed_file.size) if sound and sound.packed_file else ()
    window = _window(scene, strip, with_packed=False)
    times = tuple(key.timeline_frame for key in strip.retiming_keys)
    pitch = getattr(strip, "pitch_correction", False)
    return ("STRIP", *_state(window.path), packed, window, times, pitch)


def add_strip(scene: Any, path: Path, frame: int) -> Any:
    """A new sound strip that starts at `frame`, on the first channel that is free."""
    editor = scene.sequence_editor or scene.sequence_editor_create()
    taken = {strip.channel for strip in editor.strips}
    channel = next(c for c in range(1, len(taken) + 2) if c not in taken)
    return editor.strips.new_sound(path.stem, str(path), channel, frame)


def right_handle(strip: Any) -> float:
    return float(_get(strip, "right_handle", "frame_final_end"))


def isolate(scene: Any, name: str, first: int) -> None:
    """Prepare a copy of a scene for a mixdown: only this strip sounds, at volume 1, no earlier than
    frame `first`."""
    strip = _named(scene, name)
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
    for other in _all(scene):
        other.mute = other.name not in kept
    scene.sequence_editor.channels[outer.channel].mute = False
    late = first - _handles(strip)[0]
    if late > 0:
        start = "content_start" if hasattr(outer, "content_start") else "frame_start"
        setattr(outer, start, getattr(outer, start) + late)


def is_mono(scene: Any, name: str) -> bool:
    sound = _named(scene, name).sound
    return bool(sound.channels == "MONO" or sound.use_mono)


def _window(scene: Any, strip: Any, with_packed: bool = True) -> StripWindow:
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
    start = _get(strip, "content_start", "frame_start")
    trim = _get(strip, "content_trim_start", "animation_offset_start")
    trim_end = _get(strip, "content_trim_end", "animation_offset_end")
    offset_end = _get(strip, "right_handle_offset", "frame_offset_end")
    sound = strip.sound if strip.type == "SOUND" else None
    packed = sound.packed_file if sound and with_packed else None
    return StripWindow(
        name=strip.name,
        path=_path(strip),
        packed=bytes(packed.data) if packed else None,
        left=left,
        right=max(left, right),
        skip=(left - start + trim) / fps - (strip.sound_offset if sound else 0.0),
        fps=fps,
        cut=trim_end > 0.5 or offset_end > 0.5 or right < last,
        muted=bool(muted or scene.sequence_editor.channels[inner.channel].mute),
        retimed=len(strip.retiming_keys) > 0,
        scene=scene.name,
    )


def _why_not(scene: Any, strip: Any | None, name: str) -> str:
    """The reason why a strip cannot drive a head, empty if it can."""
    if strip is None:
        known = ", ".join(sorted(repr(s.name) for s in _all(scene) if s.type in VOICES)) or "none"
        return f"scene {scene.name!r} has no sound strip {name!r}; it has: {known}"
    if strip.type == "SCENE":
        return f"strip {name!r} plays a scene; link the sound strip in scene {_played(strip)!r}"
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


def _all(scene: Any) -> list[Any]:
    editor = scene.sequence_editor
    return list(editor.strips_all) if editor else []


def _named(scene: Any, name: str) -> Any:
    """The strip of that name, None if there is none."""
    return next((strip for strip in _all(scene) if strip.name == name), None)


def _handles(strip: Any) -> tuple[float, float]:
    return float(_get(strip, "left_handle", "frame_final_start")), right_handle(strip)


def _path(strip: Any) -> Path:
    if strip.type == "MOVIE":
        return Path(bpy.path.abspath(strip.filepath, library=strip.id_data.library))
    return Path(bpy.path.abspath(strip.sound.filepath, library=strip.sound.library))


def _state(path: Path) -> tuple[str, int, int]:
    """Path, size and time of change of a file; -1 if there is none."""
    try:
        status = path.stat()
    except OSError:
        return str(path), -1, -1
    return str(path), status.st_size, status.st_mtime_ns


def _get(strip: Any, name: str, older: str) -> Any:
    return getattr(strip, name) if hasattr(strip, name) else getattr(strip, older)
