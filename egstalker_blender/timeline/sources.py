"""What heads speak with: avatars and tracks, each loaded once, in the background where it can be.

A name of an avatar or of a voice changes with its content, so what is loaded is never stale. What
failed stays failed until its name changes: a missing file is not looked for at every tick.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable
from dataclasses import dataclass
from pathlib import Path

from ...core.audio.features import FEATURE_SUFFIX, load_track, track_from_waveform
from ...core.audio.wav import load_wav
from ...core.bake.plan import track_for
from ...core.engine.background import Finished, Task
from ...core.engine.cache.frames import track_digest
from ...core.errors import ArgumentError, EgsError
from ...core.records.audio_track import AudioTrack
from ...core.records.avatar import Avatar
from ...core.records.feature_spec import FeatureSpec
from ...core.records.voice import Waveform
from ..sound.decode import waveform_of_file
from ..sound.strip_waveform import between_handles, waveform_of_strip
from ..sound.strips import StripWindow

Voice = StripWindow | Path | None


@dataclass(frozen=True, eq=False)
class Sound:
    """A track and the digest by which its frames are found."""

    track: AudioTrack
    digest: str


class Sources:
    """For the main thread; the tasks that it hands out own what they touch."""

    def __init__(self) -> None:
        self._ready: dict[Hashable, Avatar | Sound | Exception] = {}
        self._tasks: dict[Hashable, Task] = {}

    def tasks(self) -> list[Task]:
        return list(self._tasks.values())

    def avatar(self, name: tuple[Hashable, ...], path: Path, digest: str) -> Avatar | None:
        """None while it loads. Raises what loading raised."""
        found = self._get(name, lambda: _avatar(path, digest))
        return found if isinstance(found, Avatar) else None

    def sound(
        self, name: tuple[Hashable, ...], avatar: Avatar, voice: Callable[[], Voice]
    ) -> Sound | None:
        """None while it loads. voice: asked once for each name. Raises what loading raised."""
        name = (*name, avatar.content_hash)
        if name not in self._ready and name not in self._tasks:
            try:
                self._begin(name, avatar, voice())
            except EgsError as error:
                self._ready[name] = error
        found = self._get(name, None)
        return found if isinstance(found, Sound) else None

    def finish(self, done: Finished) -> bool:
        """Take the result of one of the tasks; False where it is not one of them."""
        if self._tasks.pop(done.name, None) is None:
            return False
        value = done.value
        if isinstance(value, _Undecoded):
            try:
                waveform = value.decode()
            except EgsError as error:
                self._ready[done.name] = error
            else:
                self._put(done.name, lambda: _sound(track_from_waveform(waveform, value.spec)))
        elif isinstance(value, Avatar | Sound):
            self._ready[done.name] = value
        else:
            self._ready[done.name] = done.error or EgsError("nothing was loaded")
        return True

    def keep(self, names: Collection[Hashable]) -> None:
        """Forget what no head has asked for: avatars by name, sounds by name and avatar."""
        for name in [*self._ready, *self._tasks]:
            if name not in names and not (isinstance(name, tuple) and name[:-1] in names):
                self._ready.pop(name, None)
                self._tasks.pop(name, None)

    def _get(self, name: Hashable, work: Callable[[], object] | None) -> object:
        found = self._ready.get(name)
        if isinstance(found, Exception):
            raise found
        if found is None and work is not None and name not in self._tasks:
            self._put(name, work)
        return found

    def _put(self, name: Hashable, work: Callable[[], object]) -> None:
        self._tasks[name] = Task(name, work)

    def _begin(self, name: Hashable, avatar: Avatar, voice: Voice) -> None:
        spec = avatar.features
        if spec is None:  # a still hears nothing
            self._put(name, lambda: _sound(track_for(avatar, None)))
        elif voice is None:
            raise ArgumentError("no sound is linked to the avatar; link a strip or a file")
        elif isinstance(voice, Path) and voice.suffix.lower() == FEATURE_SUFFIX:
            self._put(name, lambda: _sound(load_track(voice, spec)))
        elif _may_be_read_here(voice):
            self._put(name, lambda: _sound_of_wav(voice, spec))
        else:
            waveform = _decoded(voice)
            self._put(name, lambda: _sound(track_from_waveform(waveform, spec)))


@dataclass(frozen=True, eq=False)
class _Undecoded:
    """A file that only Blender can read, on the main thread."""

    decode: Callable[[], Waveform]
    spec: FeatureSpec


def _avatar(path: Path, digest: str) -> Avatar:
    from ...core.bake.loop import load_checked  # it brings the engines' modules, slow to import

    return load_checked(path, digest)


def _may_be_read_here(voice: StripWindow | Path) -> bool:
    if isinstance(voice, StripWindow):
        return voice.muted or not (voice.retimed or voice.packed is not None)
    return True


def _sound_of_wav(voice: StripWindow | Path, spec: FeatureSpec) -> Sound | _Undecoded:
    """In the thread, which must not let Blender decode."""
    if isinstance(voice, StripWindow) and voice.muted:
        return _sound(track_from_waveform(waveform_of_strip(voice), spec))
    path = voice.path if isinstance(voice, StripWindow) else voice
    whole = load_wav(path) if path.is_file() else None
    if whole is None:
        return _Undecoded(lambda: _decoded(voice), spec)
    if isinstance(voice, StripWindow):
        whole = between_handles(voice, whole)
    return _sound(track_from_waveform(whole, spec))


def _decoded(voice: StripWindow | Path) -> Waveform:
    if isinstance(voice, StripWindow):
        return waveform_of_strip(voice)
    return waveform_of_file(voice)


def _sound(track: AudioTrack) -> Sound:
    return Sound(track, track_digest(track))
