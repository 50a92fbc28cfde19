"""An engine for tests of the user interface: draws nothing, answers at once, fails on request."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field

from ..errors import EgsError
from ..records.audio_track import AudioTrack
from ..records.avatar import Avatar
from ..records.gaussians import Splats, activate
from ..records.job import BakeJob
from ..records.moment import Moment
from ..records.progress import Progress
from .interface import EngineStatus


@dataclass
class FakeEngine:
    """fail_at: the frame (counted from 1) or deform that
    raises `error`; 0 never. moments: the moments that deform received. closed: close was called."""

    fail_at: int = 0
    error: EgsError = field(default_factory=lambda: EgsError("the fake engine was asked to fail"))
    moments: list[Moment] = field(default_factory=list)
    closed: bool = False

    def status(self) -> EngineStatus:
        return EngineStatus("fake", "none", "none")

    def deform(self, avatar: Avatar, track: AudioTrack, moment: Moment) -> Splats:
        self.moments.append(moment)
        self._work(len(self.moments))
        return activate(avatar.whole())

    def bake(self, job: BakeJob) -> Generator[Progress, None, None]:
        """Writes one byte per file, so that a test can count them."""
        total = len(job.frames)
        yield Progress(0, total)
        job.directory.mkdir(parents=True, exist_ok=True)
        for done, task in enumerate(job.frames, start=1):
            self._work(done)
            job.path_of(task).write_bytes(b".")
            yield Progress(done, total, task.number, job.path_of(task))

    def close(self) -> None:
        self.closed = True

    def _work(self, count: int) -> None:
        if count == self.fail_at:
            raise self.error
