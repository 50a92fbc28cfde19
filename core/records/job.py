"""A bake as one frozen record: gathered once by the UI or the command line, run by an engine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import ArgumentError
from .audio_track import AudioTrack
from .camera import Camera
from .mesh_depth import MeshDepth
from .moment import Moment
from .voice import AnyVoice

FILE_FORMATS = ("png", "exr", "exr-multilayer")
RAW = "npy"  # layers as an array file, for a program that reads them back
LAYERED = ("exr-multilayer", RAW)


@dataclass(frozen=True, eq=False)
class Instant:
    """A moment and the camera that sees it."""

    moment: Moment
    camera: Camera


@dataclass(frozen=True, eq=False)
class FrameTask:
    """number: the scene frame, which names the file. Moment and camera, with the job's avatar and
    voice, fully determine the picture. blur: instants while the shutter is open, each as long as
    the others, all of the camera's size; then the picture is their mean. Empty for a sharp one.
    meshes: what hides parts of the head, None for nothing; they are sharp in a blurred picture."""

    number: int
    moment: Moment
    camera: Camera
    blur: tuple[Instant, ...] = ()
    meshes: MeshDepth | None = None

    @property
    def instants(self) -> tuple[Instant, ...]:
        """What is drawn for the picture."""
        return self.blur or (Instant(self.moment, self.camera),)


@dataclass(frozen=True)
class Existing:
    """What a bake does with files that are there. resume: finished frames stay, frames of the same
    avatar that were made from other input are baked again, and other files stop the bake before it
    begins, unless `overwrite`. Without resume every frame is written."""

    resume: bool = False
    overwrite: bool = False


OVERWRITE = Existing()


@dataclass(frozen=True, eq=False)
class BakeJob:
    """avatar_path and avatar_hash: the .egs file and the content hash it must have. voice: the
    sound that drives the avatar; unless it is a track, its features are computed by the engine that
    draws the frames. background: composite the head over the avatar's background and torso (needs
    the training camera). xmp: the files declare themselves synthetic and name the avatar
    (images/xmp.py). voice_digest: that of the frames (audio/digest.py), empty until it is known;
    of a track, that of the sound it was computed from. Files are DIRECTORY/STEM####.FORMAT."""

    avatar_path: Path
    avatar_hash: str
    voice: AnyVoice
    frames: tuple[FrameTask, ...]
    directory: Path
    stem: str = "frame_"
    file_format: str = "png"
    background: bool = True
    sh_degree: int = 3
    xmp: bool = True
    voice_digest: str = ""

    def __post_init__(self) -> None:
        if self.file_format not in (*FILE_FORMATS, RAW):
            choices = ", ".join(FILE_FORMATS)
            raise ArgumentError(f"format {self.file_format!r} is unknown; choose one of {choices}")
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

    @property
    def has_notes(self) -> bool:
        """True if the files hold text next to their pixels (images/notes.py)."""
        return self.file_format != RAW

    @property
    def layered(self) -> bool:
        """True if the files hold depth and matte, too."""
        return self.file_format in LAYERED

    def path_of(self, task: FrameTask) -> Path:
        suffix = self.file_format.partition("-")[0]
        return self.directory / f"{self.stem}{task.number:04d}.{suffix}"
