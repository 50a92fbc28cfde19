"""Avatars and tracks of the heads in the scene, each loaded once, on another thread.

A name of an avatar or of a voice changes with its content, so what is loaded is never stale. What
failed stays failed until its name changes: a missing file is not looked for at every tick.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ...core.audio.digest import voice_digest
from ...core.audio.features import track_for
from ...core.engine.background import Finished, Task
from ...core.engine.cache.frames import track_digest
from ...core.errors import EgsError
from ...core.records.audio_track import AudioTrack
from ...core.records.avatar import Avatar
from ...core.records.voice import Voice
from ..sound.voice import Source, Undecoded, decoded_voice, voice_from


@dataclass(frozen=True, eq=False)
class Sound:
    """A track and the digest by which its frames are found. voice_digest: of the voice it was
    computed from."""

    track: AudioTrack
    digest: str
    voice_digest: str


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
        self, name: tuple[Hashable, ...], avatar: Avatar, voice: Callable[[], Source]
    ) -> Sound | None:
        """None while it loads. voice: asked once for each name. Raises what loading raised."""
        name = (*name, avatar.content_hash)
        if name not in self._ready and name not in self._tasks:
            try:
                # Here, on the main thread: it reads the scene.
                found = voice_from(voice()) if avatar.features else None
                self._put(name, partial(_sound, avatar, found))
            except EgsError as error:
                self._ready[name] = error
        sound = self._get(name, None)
        return sound if isinstance(sound, Sound) else None

    def finish(self, done: Finished) -> bool:
        """Take the result of one of the tasks; False where it is not one of them."""
        if self._tasks.pop(done.name, None) is None:
            return False
        value = done.value
        if isinstance(value, Avatar | Sound):
            self._ready[done.name] = value
        else:
            self._ready[done.name] = done.error or EgsError("nothing was loaded")
        return True

    def load_here(self) -> None:
        """Do the tasks in this thread, which waits for them. Errors are kept as in `finish`."""
        for task in self.tasks():
            value, failure = None, None
            try:
                value = task.work()
            except Exception as error:  # raised to whoever asks for it
                failure = error
            self.finish(Finished(task.name, value, failure, 0.0))

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


def _avatar(path: Path, digest: str) -> Avatar:
    from ...core.bake.loop import load_checked  # it brings the engines' modules, slow to import

    return load_checked(path, digest)


def _sound(avatar: Avatar, voice: Voice | Undecoded | None) -> Sound:
    there = decoded_voice(voice)
    track = track_for(avatar, there)
    return Sound(track, track_digest(track), voice_digest(there, avatar.features))
