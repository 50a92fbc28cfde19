"""The client's private folder: files that the worker reads and fills, each written once."""

from __future__ import annotations

import itertools
import threading
from dataclasses import dataclass
from pathlib import Path

from ..audio.files import decoded
from ..avatar.file import save_avatar
from ..errors import EngineError
from ..records.arrays import Float32
from ..records.audio_track import AudioTrack
from ..records.avatar import Avatar
from ..records.voice import AnyVoice, SoundMix, Waveform
from ..system.files import reason
from ..system.leftovers import temporary_folder
from ..system.lru import LRU
from ..worker.exchange import map_splats, voice_fields, write_track, write_waveform
from ..worker.protocol import Message

KEPT = 4  # tracks, avatars and free blocks


@dataclass(frozen=True, eq=False)
class Block:
    """A mapped file for the splats of one request."""

    name: str
    count: int
    data: Float32


class SharedFiles:
    """Tracks and avatars are identified by their record objects, which never change."""

    def __init__(self) -> None:
        try:
            self._temporary = temporary_folder()
        except OSError as error:
            raise EngineError(f"no temporary folder can be created: {reason(error)}") from error
        self.folder = Path(self._temporary.name)
        self._numbers = itertools.count(1)
        self._guard = threading.RLock()
        self._tracks: LRU[int, tuple[AudioTrack, str]] = LRU(
            KEPT, dropped=lambda _, item: self.drop(item[1])
        )
        self._avatars: LRU[int, tuple[Avatar, Path, str]] = LRU(
            KEPT, dropped=lambda _, item: self.drop(item[1].name)
        )
        self._free: list[Block] = []

    def new_name(self, kind: str) -> str:
        return f"{kind}-{next(self._numbers)}.npy"

    def track(self, track: AudioTrack) -> str:
        """The name of the file with its windows."""
        with self._guard:
            found = self._tracks.get(id(track))
            if found is None:
                name = self.new_name("track")
                write_track(self.folder / name, track)
                found = self._tracks.put(id(track), (track, name))
            return found[1]

    def voice(self, voice: AnyVoice, name: str) -> Message:
        """The voice in the form that the worker reads. name: of a new file for samples, which the
        caller drops."""
        if isinstance(voice, AudioTrack):
            return voice_fields(voice, self.track(voice))
        if isinstance(voice, SoundMix) and any(
            isinstance(placed.sound, Waveform) for placed in voice.sounds
        ):
            voice = decoded(voice)
        if isinstance(voice, Waveform):
            write_waveform(self.folder / name, voice)
        return voice_fields(voice, name)

    def avatar(self, avatar: Avatar) -> tuple[Path, str]:
        """An .egs file of the avatar and its content hash."""
        with self._guard:
            found = self._avatars.get(id(avatar))
            if found is None:
                path = self.folder / f"avatar-{next(self._numbers)}.egs"
                found = self._avatars.put(id(avatar), (avatar, path, save_avatar(avatar, path)))
            return found[1:]

    def borrow(self, count: int) -> Block:
        with self._guard:
            for block in self._free:
                if block.count == count:
                    self._free.remove(block)
                    return block
            name = self.new_name("splats")
            return Block(name, count, map_splats(self.folder / name, count, create=True))

    def give_back(self, block: Block) -> None:
        """Call it only when the worker has answered: a late answer must not fill a block that is in
        use again."""
        with self._guard:
            self._free.append(block)
            for old in self._free[:-KEPT]:
                self.drop(old.name)
            del self._free[:-KEPT]

    def drop(self, name: str) -> None:
        """Delete the file if there is one."""
        # A system that cannot delete an open file leaves it to the removal of the folder.
        with self._guard:
            try:
                (self.folder / name).unlink(missing_ok=True)
            except PermissionError:
                return

    def close(self) -> None:
        with self._guard:
            self._free.clear()
        self._temporary.cleanup()
