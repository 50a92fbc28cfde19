"""The cache of computed frames: in memory, and on disk by the .blend or in the user's folder."""

from __future__ import annotations

from pathlib import Path

import bpy

from ...core.engine.cache.disk import DiskCache
from ...core.engine.cache.frames import MEGABYTE, MemoryCache
from ...core.errors import EgsError
from .. import preferences
from ..folders import user_folder

FOLDER = "egstalker_cache"


class Store:
    """Both caches, with budgets and folder from the preferences."""

    def __init__(self) -> None:
        self.memory = MemoryCache(preferences.MEMORY_MB * MEGABYTE)
        self.disk: DiskCache | None = None
        self._reason = ""

    def configure(self) -> None:
        """Apply the preferences and the folder of the .blend."""
        budget = preferences.cache_budget()
        self.memory.set_budget(budget.memory_mb * MEGABYTE)
        if not budget.disk_mb:
            self.disk, self._reason = None, ""
            return
        try:
            folder = budget.folder or _default_folder()
        except EgsError as error:
            self.disk, self._reason = None, f"no frames on disk: {error}"
            return
        self._reason = ""
        if self.disk is None or self.disk.folder != folder:
            self.disk = DiskCache(folder, budget.disk_mb * MEGABYTE)
        self.disk.set_budget(budget.disk_mb * MEGABYTE)

    @property
    def reason(self) -> str:
        """Why no frames are cached on disk; empty where they are, or with the disk cache off."""
        return self._reason or (self.disk.reason if self.disk is not None else "")

    @property
    def version(self) -> tuple[int, int]:
        """Changes whenever a frame is added or removed."""
        return self.memory.version, self.disk.version if self.disk is not None else -1

    def megabytes(self) -> tuple[float, float]:
        """Size of the frames in memory and on disk."""
        on_disk = self.disk.nbytes if self.disk is not None else 0
        return self.memory.nbytes / MEGABYTE, on_disk / MEGABYTE

    def place_of(self, key: str) -> str:
        """ "memory", "disk" or "" where the frame is not cached."""
        if key in self.memory:
            return "memory"
        return "disk" if self.disk is not None and key in self.disk else ""

    def clear(self) -> None:
        self.memory.clear()
        if self.disk is not None:
            self.disk.clear()


store = Store()


def _default_folder() -> Path:
    if bpy.data.filepath:
        return Path(bpy.data.filepath).parent / FOLDER
    return user_folder(FOLDER)


def unregister() -> None:
    """Free the frames in memory; files on disk stay."""
    store.memory.clear()
    store.disk = None
