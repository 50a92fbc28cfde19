"""Which strips drive a head: its link, and what becomes of it when strips are edited.

A linked strip bears the head's mark, and so does every piece and copy that Blender makes of it: all
of them are the voice.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from uuid import uuid4

from ...core.errors import ArgumentError, AudioError, EgsError
from ..blocks import file_of
from .pieces import Piece, pieces_of
from .scenes import scene_driving, seen_from
from .windows import (
    ID_KEY,
    StripWindow,
    all_strips,
    frame_rate,
    marks_of,
    path_of,
    sound_strips,
    strip_named,
    why_not,
    window_of_strip,
)

settling: list[Any] = []  # not empty while a name changes and the link does not


@dataclass(frozen=True)
class VoiceStrips:
    """Several strips that are one voice. windows: of those that are not muted, by their places.
    left, right: first frame, and the one after the last. fps: of the sequencer's scene."""

    windows: tuple[StripWindow, ...]
    left: float
    right: float
    fps: float

    @property
    def seconds(self) -> float:
        return (self.right - self.left) / self.fps


def voice_strips(scene: Any, obj: Any, with_packed: bool = True) -> StripWindow | VoiceStrips:
    """What drives the object: one window, or several. ArgumentError if its strips are not there,
    AudioError if they have no sound."""
    return voice_of_pieces(linked_pieces(scene, obj, with_packed))


def voice_of_pieces(pieces: list[Piece]) -> StripWindow | VoiceStrips:
    """One window, or several, of at least one piece."""
    windows = [piece.window for piece in pieces]
    found = [window for window in windows if not window.muted and window.seconds > 0]
    placed = sorted(found or windows, key=lambda window: (window.left, window.name))
    if len(placed) == 1:
        return placed[0]
    left, right = min(w.left for w in placed), max(w.right for w in placed)
    return VoiceStrips(tuple(placed) if found else (), left, right, placed[0].fps)


def linked_strips(scene: Any, obj: Any) -> list[Any]:
    """The strips that the object is linked to: those of its channel; or those that bear its mark,
    even if they were renamed; or, where none does, those of its name, in which * and ? stand for
    any letters."""
    props = obj.egstalker
    if props.sound_source == "CHANNEL":
        editor = scene.sequence_editor
        return [s for s in editor.strips if s.channel == props.sound_channel] if editor else []
    marked = [s for s in all_strips(scene) if props.sound_strip_id in marks_of(s)]
    return marked or strips_of_name(scene, props.sound_strip)


def linked_strip(scene: Any, obj: Any) -> Any | None:
    """The one of the linked strips that is shown by name."""
    found = linked_strips(scene, obj)
    name = obj.egstalker.sound_strip
    return next((s for s in found if s.name == name), found[0] if found else None)


def linked_window(scene: Any, obj: Any) -> StripWindow:
    """The sound of `linked_strip`. Errors as window_of_strip."""
    home = scene_driving(scene, obj)
    strip = linked_strip(home, obj)
    window = window_of_strip(home, strip.name if strip else obj.egstalker.sound_strip)
    return seen_from(scene, home)(window)


def mark(scene: Any, name: str, old: str = "") -> str:
    """A new mark for the strips of that name; empty if there is none. old: a mark to remove."""
    for strip in all_strips(scene) if old and scene.library is None else ():
        if old in (marks := marks_of(strip)):
            marks.remove(old)
            strip[ID_KEY] = " ".join(marks)
    return mark_strips(scene, strips_of_name(scene, name))


def mark_strips(scene: Any, strips: Iterable[Any]) -> str:
    """A new mark on these strips; empty if there are none, or the scene cannot be edited."""
    strips = list(strips)
    if not strips or scene.library is not None:
        return ""
    made, names = uuid4().hex, {strip.name for strip in strips}
    elsewhere = {m for s in all_strips(scene) if s.name not in names for m in marks_of(s)}
    for strip in strips:
        # One of several strips of another head changes sides; a head's only one is shared.
        kept = [old for old in marks_of(strip) if old not in elsewhere]
        strip[ID_KEY] = " ".join([*kept, made])
    return made


def settle_marks(scene: Any, objects: Iterable[Any]) -> None:
    """Call after an edit of the sequencer: an object that shows the name of a strip that it is not
    linked to, since that was renamed or deleted, shows another one's."""
    for obj in objects:
        props = obj.egstalker
        if props.sound_source != "STRIP" or not props.sound_strip_id or not obj.is_editable:
            continue
        marked = [s for s in all_strips(scene) if props.sound_strip_id in marks_of(s)]
        if marked and all(strip.name != props.sound_strip for strip in marked):
            settling.append(obj)
            props.sound_strip = marked[0].name
            settling.clear()


def link_problem(scene: Any, obj: Any) -> str:
    """The reason why the object's strips cannot drive it, empty if they can. Cheap: for panels."""
    try:
        found = linked_pieces(scene, obj)
    except (ArgumentError, AudioError) as error:
        return str(error)
    for piece in found:
        strip, path = piece.strip, piece.window.path
        packed = strip.type == "SOUND" and strip.sound.packed_file
        if not (piece.window.muted or packed or path.is_file()):
            return f"The sound of strip {strip.name!r} is not at {path}"
    return ""


def loose_strips(scene: Any, obj: Any, own: Iterable[Piece], others: Iterable[Any]) -> list[str]:
    """Names of the strips that play a sound of the object's pieces, `own`, and drive neither it nor
    one of the other heads of its scene. Muted ones are left out. Cheap unless there are some: for
    panels."""
    own, home = list(own), scene_driving(scene, obj)
    paths, driven = {piece.window.path for piece in own}, _keys(own)
    loose = [
        strip
        for strip in sound_strips(home)
        if not strip.mute and (home.name, strip.name) not in driven and path_of(strip) in paths
    ]
    for head in others if loose else ():
        with suppress(ArgumentError, AudioError):
            driven |= _keys(linked_pieces(scene, head))
    return [strip.name for strip in loose if (home.name, strip.name) not in driven]


def _keys(pieces: Iterable[Piece]) -> set[tuple[str, str]]:
    return {(piece.window.scene, piece.strip.name) for piece in pieces}


def fingerprint(scene: Any, obj: Any) -> Hashable:
    """A value that changes whenever the voice of the object has to be decoded again. Cheap: it
    opens no file and copies no sound. Valid in this session alone."""
    props = obj.egstalker
    if props.sound_source == "FILE":
        if not props.sound_file:
            return None
        try:
            path = file_of(props.sound_block)
        except EgsError as error:
            return ("NONE", props.sound_file, str(error))
        return ("FILE", *_state(path), frame_rate(scene))
    if props.sound_source == "STRIP" and not props.sound_strip:
        return None
    try:
        found = linked_pieces(scene, obj)
    except (ArgumentError, AudioError) as error:
        return ("NONE", props.sound_strip, str(error))
    states = tuple(_piece_state(piece) for piece in found)
    return ("STRIP", states, voice_of_pieces(found))


def linked_pieces(scene: Any, obj: Any, with_packed: bool = False) -> list[Piece]:
    """The sounds in the object's strips, at least one. ArgumentError if the strips are not there,
    AudioError if they have no sound."""
    home = scene_driving(scene, obj)
    props, strips = obj.egstalker, linked_strips(home, obj)
    if not strips:
        if props.sound_source == "CHANNEL":
            raise ArgumentError(
                f"channel {props.sound_channel} of scene {home.name!r} has no strips; choose the "
                "channel of the voice"
            )
        raise ArgumentError(why_not(home, None, props.sound_strip))
    found = _sounding(home, strips, with_packed)
    seen = seen_from(scene, home)
    return [replace(piece, window=seen(piece.window)) for piece in found]


def check_strips(scene: Any, strips: Sequence[Any], name: str) -> None:
    """ArgumentError or AudioError if these strips, found by `name`, cannot drive a head."""
    if not strips:
        raise ArgumentError(why_not(scene, None, name))
    _sounding(scene, strips, with_packed=False)


def _sounding(scene: Any, strips: Sequence[Any], with_packed: bool) -> list[Piece]:
    found = list(pieces_of(scene, strips, with_packed))
    if not found:
        raise AudioError(why_not(scene, strips[0], strips[0].name))
    return found


def _piece_state(piece: Piece) -> Hashable:
    strip = piece.strip
    sound = strip.sound if strip.type == "SOUND" else None
    packed = (sound.session_uid, sound.packed_file.size) if sound and sound.packed_file else ()
    times = tuple(key.timeline_frame for key in strip.retiming_keys)
    return (*_state(piece.window.path), packed, times, getattr(strip, "pitch_correction", False))


def strips_of_name(scene: Any, name: str) -> list[Any]:
    """The strip of that name; if there is none, those of names in which * and ? of it stand for any
    letters."""
    if not name:
        return []
    strip = strip_named(scene, name)
    if strip is not None:
        return [strip]
    return [strip for strip in all_strips(scene) if fnmatchcase(strip.name, name)]


def _state(path: Path) -> tuple[str, int, int]:
    """Path, size and time of change of a file; -1 if there is none."""
    try:
        status = path.stat()
    except OSError:
        return str(path), -1, -1
    return str(path), status.st_size, status.st_mtime_ns
