"""The built-in engine: in this process, with what its Python can import."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Generator
from dataclasses import replace

from ..bake.backends import choose_backend, remembering
from ..bake.loop import bake
from ..network.deformer import Deformer, splats_at
from ..records.audio_track import AudioTrack
from ..records.avatar import Avatar
from ..records.gaussians import Splats
from ..records.job import BakeJob
from ..records.moment import Moment
from ..records.progress import Progress
from .interface import EngineStatus


class BuiltinEngine:
    """Calls may come from several threads; one computes at a time. A bake locks the engine for one
    frame at a time and never while its caller runs, so that nothing can wait for ever."""

    def __init__(self, backend: str = "auto", reason: str = "") -> None:
        """backend: one of backends.CHOICES. reason: why another engine was not chosen."""
        remembered = remembering(choose_backend(backend))
        self._prepare_once = remembered.prepare
        self._backend = replace(remembered, prepare=self._prepare)
        self._reason = reason
        self._turn = threading.Lock()
        self._avatar: Avatar | None = None  # the last one; a render is a bake for each frame

    def status(self) -> EngineStatus:
        return EngineStatus("builtin", self._backend.label, self._backend.device, self._reason)

    def deform(self, avatar: Avatar, track: AudioTrack, moment: Moment) -> Splats:
        with self._turn:
            return splats_at(self._backend.prepare(avatar), track, moment)

    def bake(self, job: BakeJob) -> Generator[Progress, None, None]:
        with contextlib.closing(bake(job, self._backend, self._avatar)) as steps:
            while True:
                with self._turn:
                    progress = next(steps, None)
                if progress is None:
                    return
                yield progress

    def _prepare(self, avatar: Avatar) -> Deformer:
        self._avatar = avatar
        return self._prepare_once(avatar)

    def close(self) -> None:
        """Nothing to release: everything is in this process."""
