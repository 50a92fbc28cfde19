"""The client's private folder: what the worker reads and fills, and what was put there already."""

from __future__ import annotations

import itertools
import shutil
import tempfile
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..avatar.file import save_avatar
from ..errors import EngineError
from ..records.audio_track import AudioTrack
from ..records.avatar import Avatar
from ..system.files import reason
from ..worker.exchange import FOLDER_PREFIX, map_splats, write_track

KEPT = 4  # tracks, avatars and free blocks


@dataclass(frozen=True, eq=False)
class Block:
    """A mapped file for the splats of one request."""

    name: str
    count: int
    data: NDArray[np.float32]


class Shelf:
    """Files by the identity of the records that they hold; records never change."""

    def __init__(self) -> None:
        try:
            self.folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX))
        except OSError as error:
            raise EngineError(f"no temporary folder can be made: {reason(error)}") from error
        self._numbers = itertools.count(1)
        self._guard = threading.RLock()
        self._tracks: OrderedDict[int, tuple[AudioTrack, str]] = OrderedDict()
        self._avatars: OrderedDict[int, tuple[Avatar, Path, str]] = OrderedDict()
        self._free: list[Block] = []

    def new_name(self, kind: str) -> str:
        return f"{kind}-{next(self._numbers)}.npy"

    def track(self, track: AudioTrack) -> str:
        """The name of the file with its windows."""
        with self._guard:
            if id(track) not in self._tracks:
                name = self.new_name("track")
                write_track(self.folder / name, track)
                self._tracks[id(track)] = (track, name)
                self._trim(self._tracks, 1)
            self._tracks.move_to_end(id(track))
            return self._tracks[id(track)][1]

    def avatar(self, avatar: Avatar) -> tuple[Path, str]:
        """An .egs file of the avatar and its content hash."""
        with self._guard:
            if id(avatar) not in self._avatars:
                path = self.folder / f"avatar-{next(self._numbers)}.egs"
                digest = save_avatar(avatar, path)
                self._avatars[id(avatar)] = (avatar, path, digest)
                self._trim(self._avatars, 1)
            self._avatars.move_to_end(id(avatar))
            return self._avatars[id(avatar)][1:]

    def borrow(self, count: int) -> Block:
        with self._guard:
            for block in self._free:
                if block.count == count:
                    self._free.remove(block)
                    return block
            name = self.new_name("splats")
            return Block(name, count, map_splats(self.folder / name, count, create=True))

    def give_back(self, block: Block) -> None:
        """Only when the worker has answered: a late answer must not fill another's block."""
        with self._guard:
            self._free.append(block)
            for old in self._free[:-KEPT]:
                self.drop(old.name)
            del self._free[:-KEPT]

    def drop(self, name: str) -> None:
        # A system that cannot delete an open file leaves it to the removal of the folder.
        with self._guard:
            try:
                (self.folder / name).unlink(missing_ok=True)
            except PermissionError:
                return

    def close(self) -> None:
        with self._guard:
            self._free.clear()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _trim(self, kept: OrderedDict[int, Any], position: int) -> None:
        while len(kept) > KEPT:
            _, item = kept.popitem(last=False)
            self.drop(Path(item[position]).name)
