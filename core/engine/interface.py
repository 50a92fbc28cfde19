"""The interface of an engine: all that the add-on and the command line know about it."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Protocol

from ..records.audio_track import AudioTrack
from ..records.avatar import Avatar
from ..records.gaussians import Splats
from ..records.job import BakeJob
from ..records.moment import Moment
from ..records.progress import Progress


@dataclass(frozen=True)
class EngineStatus:
    """name: "builtin", "worker" or "fake". backend: the one in use, for example "numpy", "numba +
    torch" or "gsplat". device: "CPU" or the GPU's name. reason: why it is not the requested engine,
    or why something fast is not used; empty otherwise."""

    name: str
    backend: str
    device: str
    reason: str = ""

    def line(self) -> str:
        text = f"{self.name}: {self.backend} on {self.device}"
        return f"{text} ({self.reason})" if self.reason else text


class Engine(Protocol):
    def status(self) -> EngineStatus: ...

    def deform(self, avatar: Avatar, track: AudioTrack, moment: Moment) -> Splats:
        """The head at one moment: a pure function of its inputs."""
        ...

    def bake(self, job: BakeJob) -> Generator[Progress, None, None]:
        """Write every frame of the job, yielding at least every 0.1 s (worker) or once a frame
        (built-in). Closing the iterator stops within a frame; finished files stay."""
        ...

    def close(self) -> None:
        """Release processes, files and memory. May be called twice."""
        ...
