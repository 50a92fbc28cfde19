"""A bake as one frozen record: gathered once by the UI or the command line, run by an engine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import ArgumentError
from .audio_track import AudioTrack
from .camera import Camera
from .moment import Moment
from .voice import AnyVoice

FILE_FORMATS = ("png", "exr")


@dataclass(frozen=True, eq=False)
class FrameTask:
    """number: the scene frame, which names the file. Moment and camera, with the job's avatar and
    voice, fully determine the picture."""

    number: int
    moment: Moment
    camera: Camera


@dataclass(frozen=True, eq=False)
class BakeJob:
    """avatar_path and avatar_hash: the .egs file and the content hash it must have. voice: the
    sound that drives the avatar; unless it is a track, its features are computed by the engine that
    draws the frames. background: composite the head over the avatar's background and torso (needs
    the training camera). Files are DIRECTORY/STEM####.FORMAT."""

    avatar_path: Path
    avatar_hash: str
    voice: AnyVoice
    frames: tuple[FrameTask, ...]
    directory: Path
    stem: str = "frame_"
    file_format: str = "png"
    background: bool = True
    sh_degree: int = 3

    def __post_init__(self) -> None:
        if self.file_format not in FILE_FORMATS:
            raise ArgumentError(f"format {self.file_format!r} is unknown; choose png or exr")
        if not self.frames:
            raise ArgumentError("no frame to bake; give a range such as 1-100")
        if Path(self.stem).name != self.stem and self.stem:
            raise ArgumentError(
                f"file name {self.stem!r} must not leave the output folder; give a plain name"
            )

    @property
    def track(self) -> AudioTrack:
        """The voice's features, once they are computed (see bake.loop.bake)."""
        if not isinstance(self.voice, AudioTrack):
            raise ArgumentError("the features of the job's voice are not computed yet")
        return self.voice

    def path_of(self, task: FrameTask) -> Path:
        return self.directory / f"{self.stem}{task.number:04d}.{self.file_format}"
