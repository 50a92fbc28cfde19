"""The options of a preparation and its callbacks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from ..errors import ArgumentError, MissingPackageError

PACKAGES = {"av": "av", "mediapipe": "mediapipe==0.10.21", "PIL": "pillow", "scipy": "scipy"}
INSTALL = f"pip install 'numpy<2' {' '.join(PACKAGES.values())}"  # Python 3.9 to 3.12
FPS = 25  # as in every dataset of the field
MIN_SECONDS, MAX_SECONDS = 2.0, 1800.0
MAX_OFFSET = 10000  # milliseconds
MIN_SIZE, MAX_SIZE = 128, 1024
MAX_PROCESSES = 60  # Windows waits for no more at once

Progress = Callable[[str, int, int], None]  # step, done, total
Note = Callable[[str], None]  # one line that the user should know


def check_packages() -> None:
    """Raise MissingPackageError, which names every package that is not installed."""
    missing = [name for module, name in PACKAGES.items() if not find_spec(module)]
    if missing:
        raise MissingPackageError(
            f"preparing a video needs {', '.join(missing)}; in Python 3.9 to 3.12: {INSTALL}"
        )


@dataclass(frozen=True)
class PrepareOptions:
    """size: pixels a side of the square pictures. start, seconds: the part of the video to use.
    crop: (x, y, side) of the square in the video's upright pixels, None to find it. focal: of the
    square pictures, in pixels, None to fit it. landmark_model: a face_landmarker .task file, for a
    MediaPipe without its own model. parsing: a folder of masks to use instead of computed ones.
    segmenter: a network to use instead of MediaPipe's. quality: of the JPEG pictures. processes:
    that work at the same time, None for one a core.
    audio_track: number of the file's sound track with the voice, from 1, None to find it.
    sound_offset: milliseconds by which the sound comes after the lips and is moved forward, None to
    find out."""

    size: int = 512
    start: float = 0.0
    seconds: float | None = None
    crop: tuple[int, int, int] | None = None
    focal: float | None = None
    landmark_model: Path | None = None
    parsing: Path | None = None
    segmenter: Path | None = None
    quality: int = 97
    processes: int | None = None
    audio_track: int | None = None
    sound_offset: float | None = None

    def __post_init__(self) -> None:
        if not MIN_SIZE <= self.size <= MAX_SIZE or self.size % 2:
            raise ArgumentError(
                f"--size {self.size}: give an even number from {MIN_SIZE} to {MAX_SIZE}"
            )
        if not 0 <= self.start < 1e6:
            raise ArgumentError(f"--start {self.start:g} must be 0 or more seconds")
        if self.seconds is not None and not MIN_SECONDS <= self.seconds <= MAX_SECONDS:
            raise ArgumentError(
                f"--seconds {self.seconds:g} must lie from {MIN_SECONDS:g} to {MAX_SECONDS:g}"
            )
        if self.crop is not None and (min(self.crop[:2]) < 0 or self.crop[2] < MIN_SIZE // 2):
            raise ArgumentError(
                f"--crop {','.join(map(str, self.crop))}: give x,y,side in pixels of the video, "
                f"the side {MIN_SIZE // 2} or more"
            )
        if self.processes is not None and not 1 <= self.processes <= MAX_PROCESSES:
            raise ArgumentError(f"--processes {self.processes} must lie from 1 to {MAX_PROCESSES}")
        if self.audio_track is not None and self.audio_track < 1:
            raise ArgumentError(f"--audio-track {self.audio_track}: tracks are counted from 1")
        if self.sound_offset is not None and not abs(self.sound_offset) <= MAX_OFFSET:
            raise ArgumentError(
                f"--sound-offset {self.sound_offset:g} must lie from -{MAX_OFFSET} to {MAX_OFFSET} "
                "milliseconds"
            )
        if self.parsing is not None and self.segmenter is not None:
            raise ArgumentError("--parsing and --segmenter: masks come from one of them, give one")
        if self.focal is not None and not 0.5 <= self.focal / self.size <= 20:
            raise ArgumentError(
                f"--focal {self.focal:g} must lie from {0.5 * self.size:g} to {20 * self.size:g} "
                f"pixels for pictures of {self.size}"
            )
