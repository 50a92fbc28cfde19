"""An avatar object of the scene: its avatar file, its sound, and its moment at any frame."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
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
from ..blocks import file_of
from ..controls.state import Animation, State, animation_of, state_now
from ..live.state import is_live
from ..properties import instanced_by, is_avatar
from ..sound.strips import VoiceStrips, fingerprint
from ..sound.windows import StripWindow, frame_rate
from ..viewport.stage import Key, key_of
from . import wanted
from .sources import Sound, Sources


@dataclass(frozen=True, eq=False)
class FrameMoment:
    """The head's moment at one scene frame. key: of the computed frame in the cache."""

    key: str
    moment: Moment


@dataclass
class Playhead:
    """Position and movement of the playhead. frame: scene frame now; last: at the previous tick.
    moved_at: when it last moved; shown_at: when a frame of the head was last shown; both in seconds
    of the timer's clock. speed: frames per second during playback, else 0. direction: 1 forwards,
    -1 backwards, 0 unknown."""

    frame: float = 0.0
    last: float = 0.0
    moved_at: float = 0.0
    shown_at: float = 0.0
    speed: float = 0.0
    direction: int = 0

    @property
    def number(self) -> int:
        return int(self.frame // 1)

    def follow(self, playing: bool, now: float, fps: float) -> None:
        """Update speed and direction after `frame` was set. now: seconds. fps: of the scene."""
        if self.frame != self.last:
            if self.speed:
                step, seconds = self.frame - self.last, now - self.moved_at
                self.speed = wanted.speed_of(self.speed, step, seconds, fps)
            self.moved_at = now
        self.speed = (self.speed or fps) if playing else 0.0
        self.direction = wanted.direction_of(self.last, self.frame, self.direction, playing)
        self.last = self.frame


@dataclass(eq=False)
class Head:
    """One avatar object.

    key: on the stage. obj, scene, layer: Blender's, valid until the next undo or load. avatar_name,
    voice_name: change with the content of the avatar file and of the sound. start: scene frame at
    which the sound begins. fps: of the scene. pose: the property pose_source. moments: by scene
    frame, of all frames seen so far; certain: the frames that were read since the scene last
    changed; lookup: number of frames of the range that `Service.survey` has read. current: moment
    at the playhead.
    animation: of the controls, valid only within one tick. shown: key of the frame in the viewport;
    stale: it is not the one at the playhead. reason: why nothing can be computed, else empty."""

    key: Key
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
    moments: dict[int, FrameMoment] = field(default_factory=dict)
    certain: set[int] = field(default_factory=set)
    lookup: int = 0
    current: FrameMoment | None = None
    animation: Animation | None = None
    playhead: Playhead = field(default_factory=Playhead)
    shown: str = ""
    stale: bool = False
    reason: str = ""

    def link(self, scene: Any, layer: Any, obj: Any) -> None:
        """Read the object's settings after a change of the scene. Decodes and loads nothing."""
        self.scene, self.layer, self.obj = scene, layer, obj
        self.animation, self.lookup = None, 0
        self.certain.clear()
        props = obj.egstalker
        self.reason = ""
        try:
            avatar = _avatar_name(obj)
        except EgsError as error:
            self.reason = str(error)
            return
        voice, self.start, fps = _voice_name(fingerprint(scene, obj))
        settings = (fps or frame_rate(scene), props.pose_source)
        if (avatar, voice, settings) != (self.avatar_name, self.voice_name, (self.fps, self.pose)):
            self.avatar_name, self.voice_name = avatar, voice
            self.fps, self.pose = settings
            self.avatar = self.sound = None
            self.shown = ""  # by keys, the same moment of a head alone stands elsewhere
            self.moments.clear()

    def load(self, sources: Sources) -> bool:
        """True once avatar and sound are loaded. Sets `reason` where they cannot be."""
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
        """The loaded avatar and track, each as long as the object still names them. InputError."""
        if self.avatar is None or _avatar_name(obj) != self.avatar_name:
            return gather.NOTHING
        same = self.sound is not None and _voice_name(fingerprint(scene, obj))[0] == self.voice_name
        if self.sound is None or not same:
            return gather.Loaded(self.avatar)
        return gather.Loaded(self.avatar, self.sound.track, self.sound.voice_digest)

    def read_playhead(self) -> None:
        """Set `current` to the moment at the scene's current frame, from the controls as Blender
        evaluated them. Needs `load` to have returned True. CameraError where the followed object is
        scaled unevenly."""
        self.playhead.frame = float(self.scene.frame_current_final)
        depsgraph = self.layer.depsgraph or bpy.context.evaluated_depsgraph_get()
        self.animation = animation_of(self.scene, depsgraph, self.obj)
        self.current = self.moment_in(depsgraph, self.playhead.frame)
        if not self.playhead.frame.is_integer():
            return
        number = self.playhead.number
        old = self.moments.get(number)
        if self.animation is None and old is not None and old.key != self.current.key:
            self.moments.clear()  # the controls changed, and F-curves do not say how
        self.moments[number] = self.current
        self.certain.add(number)

    def moment_in(self, depsgraph: Any, frame: float) -> FrameMoment:
        """The moment at the frame that `depsgraph` has evaluated. Needs `load` to have returned
        True. CameraError where the followed object is scaled unevenly."""
        return self._moment(frame, state_now(depsgraph, self.obj))

    def moment_at(self, number: int) -> FrameMoment | None:
        """The moment at any frame; None where only stepping the scene there could compute it. Call
        it in the same tick as `read_playhead`."""
        if self.animation is None or number in self.certain:
            return self.moments.get(number)
        found = self.moments[number] = self._moment(number, self.animation.at(number))
        self.certain.add(number)
        return found

    def _moment(self, frame: float, state: State) -> FrameMoment:
        assert self.avatar is not None
        assert self.sound is not None
        start = self.start if self.avatar.features else FIRST_FRAME
        moment = gather.moment_of(self.avatar, self.pose, state, frame, start, self.fps)
        return FrameMoment(frame_key(self.avatar.content_hash, self.sound.digest, moment), moment)


Scenes = Iterable[tuple[Any, Any]]  # each with its view layer


def find(scenes: Scenes, heads: Mapping[Key, Head]) -> dict[Key, Head]:
    """The visible avatars of the scenes, by key. Known heads keep their state."""
    found: dict[Key, Head] = {}
    for key, scene, layer, obj in _keyed(scenes):
        if key not in found:
            found[key] = heads.get(key) or Head(key, obj, scene, layer)
            found[key].link(scene, layer, obj)
    return found


def keys(scenes: Scenes) -> set[Key]:
    """Those of `find`."""
    return {key for key, *_ in _keyed(scenes)}


def _keyed(scenes: Scenes) -> Iterator[tuple[Key, Any, Any, Any]]:
    """The visible avatars, the same one of another window's scene under a key of its own: each
    scene has its frame, its strips and its controls at that frame."""
    first: dict[int, Any] = {}
    for scene, layer, obj in _visible(scenes):
        own = first.setdefault(obj.session_uid, scene) == scene
        yield key_of(obj, None if own else scene), scene, layer, obj


def _visible(scenes: Scenes) -> Iterator[tuple[Any, Any, Any]]:
    for scene, layer in scenes:
        for obj in scene.objects:
            inner = [obj] if is_avatar(obj) else instanced_by(obj)
            if inner and obj.visible_get(view_layer=layer):
                for avatar in inner:
                    hidden = avatar != obj and avatar.hide_viewport
                    if not hidden and not is_live(avatar.session_uid):
                        yield scene, layer, avatar


def _avatar_name(obj: Any) -> tuple[Hashable, ...]:
    """Changes whenever the object names another file or content, or the file was written.
    ArgumentError."""
    path = file_of(obj.egstalker.avatar_block)
    return "avatar", path, obj.egstalker.content_hash, _changed(path)


def _voice_name(fingerprint: Hashable) -> tuple[tuple[Hashable, ...], float, float | None]:
    """The fingerprint without the strip's position, so that a moved strip is not decoded again; the
    scene frame at which the sound begins; the rate of strips. The sound of a retimed strip depends
    on its position, which stays."""
    start, rate, parts = float(FIRST_FRAME), None, []
    for part in fingerprint if isinstance(fingerprint, tuple) else (fingerprint,):
        if isinstance(part, StripWindow | VoiceStrips):
            start, rate, part = part.left, part.fps, _unplaced(part)
        parts.append(part)
    return ("sound", *parts), start, rate


def _unplaced(part: StripWindow | VoiceStrips) -> StripWindow | VoiceStrips:
    """The same voice from frame 0 on."""
    windows = part.windows if isinstance(part, VoiceStrips) else (part,)
    if any(window.retimed for window in windows):
        return part
    first, moved = part.left, []
    for window in windows:
        left, right = window.left - first, window.right - first
        moved.append(replace(window, name="", left=left, right=right))
    if isinstance(part, StripWindow):
        return moved[0]
    return replace(part, windows=tuple(moved), left=0.0, right=part.right - first)


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return -1
