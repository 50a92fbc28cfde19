"""One avatar object of the scene: what it is linked to, and its moment at any frame."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import bpy

from ...core.bake.plan import FIRST_FRAME
from ...core.engine.cache.frames import frame_key
from ...core.errors import EgsError
from ...core.records.avatar import Avatar
from ...core.records.moment import Moment
from .. import gather
from ..controls.state import Animation, State, animation_of, state_now
from ..live.state import is_live
from ..properties import is_avatar
from ..sound.strips import StripWindow, fingerprint, frame_rate
from .sources import Sound, Sources


@dataclass(frozen=True, eq=False)
class Known:
    """A frame whose moment is certain."""

    key: str
    moment: Moment


@dataclass(eq=False)
class Head:
    """obj, scene, layer: Blender's own, valid until the next undo or load. names of sources change
    with their content. known: moments by scene frame, `sure` those that were looked at since the
    last change in the scene; current: that of the frame the scene is at. animation: for this tick
    alone. shown: key of what the viewport shows. reason: why nothing can be computed."""

    uid: int
    obj: Any
    scene: Any
    layer: Any
    avatar_name: tuple[Hashable, ...] = ()
    voice_name: tuple[Hashable, ...] = ()
    start: float = 1.0
    fps: float = 25.0
    pose: str = ""
    avatar: Avatar | None = None
    sound: Sound | None = None
    known: dict[int, Known] = field(default_factory=dict)
    sure: set[int] = field(default_factory=set)
    surveyed: int = -1  # frames of the range whose moments are sure, less one
    animation: Animation | None = None
    frame: float = 0.0
    current: Known | None = None
    shown: str = ""
    stale: bool = False
    reason: str = ""
    before: float = 0.0
    moved: float = 0.0  # when the playhead was last seen to move
    ready: float = 0.0  # when what it came to was shown
    speed: float = 0.0  # frames a second while it plays, 0 while it does not
    direction: int = 0

    @property
    def number(self) -> int:
        return int(self.frame // 1)

    def link(self, scene: Any, layer: Any, obj: Any) -> None:
        """Look at the object again. Nothing is decoded or loaded here."""
        self.scene, self.layer, self.obj = scene, layer, obj
        self.animation, self.surveyed = None, -1
        self.sure.clear()
        props = obj.egstalker
        self.reason = ""
        try:
            avatar = _avatar_name(obj)
        except EgsError as error:
            self.reason = str(error)
            return
        voice, self.start = _voice_name(fingerprint(scene, obj))
        settings = (frame_rate(scene), props.pose_source)
        if (avatar, voice, settings) != (self.avatar_name, self.voice_name, (self.fps, self.pose)):
            self.avatar_name, self.voice_name = avatar, voice
            self.fps, self.pose = settings
            self.avatar = self.sound = None
            self.known.clear()

    def load(self, sources: Sources) -> bool:
        """True when avatar and sound are there. `reason` says why they cannot be."""
        if self.reason or not self.avatar_name:
            return False
        if self.avatar is not None and self.sound is not None:
            return True
        _, path, digest, _ = self.avatar_name
        assert isinstance(path, Path)
        try:
            self.avatar = sources.avatar(self.avatar_name, path, str(digest))
            if self.avatar is not None:
                self.sound = sources.sound(
                    self.voice_name, self.avatar, lambda: gather.voice_of(self.scene, self.obj)
                )
        except EgsError as error:
            self.reason = str(error)
        return self.sound is not None

    def loaded(self, scene: Any, obj: Any) -> gather.Loaded:
        """Avatar and track, where they are those of the object as it is now. InputError."""
        if self.avatar is None or _avatar_name(obj) != self.avatar_name:
            return gather.NOTHING
        same = self.sound is not None and _voice_name(fingerprint(scene, obj))[0] == self.voice_name
        return gather.Loaded(self.avatar, self.sound.track if self.sound and same else None)

    def look(self) -> None:
        """The scene's current frame and its moment, with the controls as Blender evaluated them.
        Only after `load`. CameraError where the head cannot follow its object."""
        self.frame = float(self.scene.frame_current_final)
        depsgraph = self.layer.depsgraph or bpy.context.evaluated_depsgraph_get()
        self.animation = animation_of(self.scene, depsgraph, self.obj)
        self.current = self._known_at(self.frame, state_now(depsgraph, self.obj))
        if not self.frame.is_integer():
            return
        old = self.known.get(self.number)
        if self.animation is None and old is not None and old.key != self.current.key:
            self.known.clear()  # what moves it was changed: all that was seen is in doubt
        self.known[self.number] = self.current
        self.sure.add(self.number)

    def at(self, number: int) -> Known | None:
        """The moment of any frame; None where only Blender could tell, by going there. Only in the
        tick of the last `look`."""
        if self.animation is None or number in self.sure:
            return self.known.get(number)
        known = self.known[number] = self._known_at(number, self.animation.at(number))
        self.sure.add(number)
        return known

    def _known_at(self, frame: float, state: State) -> Known:
        assert self.avatar is not None
        assert self.sound is not None
        start = self.start if self.avatar.features else FIRST_FRAME
        moment = gather.moment_of(self.avatar, self.pose, state, frame, start, self.fps)
        return Known(frame_key(self.avatar.content_hash, self.sound.digest, moment), moment)


Scenes = Iterable[tuple[Any, Any]]  # each with its view layer


def find(scenes: Scenes, heads: dict[int, Head]) -> dict[int, Head]:
    """The visible avatars of the scenes, by session_uid; those that were known keep what they
    have."""
    found: dict[int, Head] = {}
    for scene, layer, obj in _visible(scenes):
        uid = obj.session_uid
        if uid not in found:
            found[uid] = heads.get(uid) or Head(uid, obj, scene, layer)
            found[uid].link(scene, layer, obj)
    return found


def uids(scenes: Scenes) -> Iterator[int]:
    """Of the avatars that `find` finds."""
    return (obj.session_uid for _, _, obj in _visible(scenes))


def _visible(scenes: Scenes) -> Iterator[tuple[Any, Any, Any]]:
    for scene, layer in scenes:
        for obj in scene.objects:
            if (
                is_avatar(obj)
                and not is_live(obj.session_uid)
                and obj.visible_get(view_layer=layer)
            ):
                yield scene, layer, obj


def _avatar_name(obj: Any) -> tuple[Hashable, ...]:
    """Another one whenever the object names another file or content, or the file was written.
    ArgumentError."""
    path = gather.absolute(obj.egstalker.avatar_path, obj)
    return "avatar", path, obj.egstalker.content_hash, _changed(path)


def _voice_name(fingerprint: Hashable) -> tuple[tuple[Hashable, ...], float]:
    """The fingerprint without the place of its strip, so that moving one decodes nothing anew, and
    the frame at which the sound's time is 0. A retimed strip's sound depends on its place."""
    start, parts = float(FIRST_FRAME), []
    for part in fingerprint if isinstance(fingerprint, tuple) else (fingerprint,):
        if isinstance(part, StripWindow):
            start = part.left
            if not part.retimed:
                part = replace(part, name="", left=0.0, right=part.right - part.left)
        parts.append(part)
    return ("sound", *parts), start


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return -1
