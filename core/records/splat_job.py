"""An export of the driven head as splat files, as one frozen record."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np

from ..errors import ArgumentError
from .arrays import Float64
from .moment import Moment
from .voice import AnyVoice

SPLAT_FORMATS = ("usdc", "ply", "glb", "spz")
SEQUENCES = ("ply",)  # one file a frame
STILLS = ("glb", "spz")  # one frame
METRES = 0.1  # in a decimetre of the head's frame
AT_ORIGIN: Float64 = np.diag([METRES, METRES, METRES, 1.0])


@dataclass(frozen=True, eq=False)
class SplatTask:
    """number: the scene frame. place (4, 4) float64: head's frame -> world, which is x right, y up,
    z to the viewer, metres; a rotation, a translation and a uniform scale."""

    number: int
    moment: Moment
    place: Float64 = field(default_factory=AT_ORIGIN.copy)


@dataclass(frozen=True, eq=False)
class SplatJob:
    """avatar_path, avatar_hash and voice: as in BakeJob. path: the file to write; of a sequence the
    name that the frame numbers are added to (head.ply: head0001.ply). sh_degree: 0 to 3, the
    harmonics that are written. fps: frames a second of the scene. name: of the head in the file."""

    avatar_path: Path
    avatar_hash: str
    voice: AnyVoice
    frames: tuple[SplatTask, ...]
    path: Path
    file_format: str
    sh_degree: int = 3
    fps: float = 25.0
    name: str = "head"

    def __post_init__(self) -> None:
        if self.file_format not in SPLAT_FORMATS:
            choices = ", ".join(SPLAT_FORMATS)
            raise ArgumentError(f"format {self.file_format!r} is unknown; choose one of {choices}")
        suffix = f".{self.file_format}"
        if self.path.suffix.lower() != suffix:
            raise ArgumentError(f"{self.path} must end in {suffix}")
        if not 0 <= self.sh_degree <= 3:
            raise ArgumentError(f"SH degree {self.sh_degree} is outside 0..3")
        if not self.frames:
            raise ArgumentError("no frame to export; give a range such as 1-100")
        if self.file_format in STILLS and len(self.frames) > 1:
            raise ArgumentError(
                f"a {suffix} file holds one frame, not {len(self.frames)}; choose one frame"
            )
        numbers = [task.number for task in self.frames]
        if any(later <= earlier for earlier, later in pairwise(numbers)):
            raise ArgumentError("frames to export must be in ascending order, each once")

    def path_of(self, task: SplatTask) -> Path:
        """The file that holds this frame."""
        if self.file_format not in SEQUENCES:
            return self.path
        return self.path.with_name(f"{self.path.stem}{task.number:04d}{self.path.suffix}")


def coefficients(degree: int) -> int:
    """Harmonics of all degrees up to this one."""
    return int((degree + 1) ** 2)


def bytes_a_frame(file_format: str, count: int, degree: int) -> int:
    """Size of one frame of `count` splats: exact for ply but for its header; at most that much for
    the others, which store what does not change once (usdc) or compress (spz)."""
    sh = coefficients(degree)
    if file_format == "ply":
        return 4 * count * (14 + 3 * sh)
    if file_format == "spz":
        return count * (20 + 3 * (sh - 1))
    return count * (44 + 12 * sh + (4 if file_format == "glb" else 0))
