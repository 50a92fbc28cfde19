"""The argument of every step: the files of the dataset, options, progress, notes."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dataset.pictures import read_picture
from ..errors import CancelledError, OutputError
from ..system.files import reason
from .options import Note, PrepareOptions, Progress
from .pictures import Pixels, write_bytes

SIDE_FOLDER = "prepare"  # of files that only a preparation needs: meshes, track, overlays, log


@dataclass(frozen=True, eq=False)
class Step:
    """name: of the step. video: the file. folder: the dataset being made. on_progress(name, done,
    total). note(line): what the user should know. cancelled() ends the step between frames."""

    name: str
    video: Path
    folder: Path
    options: PrepareOptions
    on_progress: Progress
    note: Note
    cancelled: Callable[[], bool]

    @property
    def side(self) -> Path:
        return self.folder / SIDE_FOLDER

    def image(self, row: int) -> Path:
        return self.folder / "ori_imgs" / f"{row}.jpg"

    def landmarks(self, row: int) -> Path:
        return self.folder / "ori_imgs" / f"{row}.lms"

    def parsing(self, row: int) -> Path:
        return self.folder / "parsing" / f"{row}.png"

    def torso(self, row: int) -> Path:
        return self.folder / "torso_imgs" / f"{row}.png"

    def pixels(self, row: int) -> Pixels:
        return read_picture(self.image(row))

    def progress(self, done: int, total: int) -> None:
        """Report how far the step is; total is 0 if unknown. CancelledError if the preparation is
        to stop."""
        self.on_progress(self.name, done, total)
        if self.cancelled():
            raise CancelledError("stopped; finished steps are kept, run it again to continue")

    def make(self, *names: str) -> None:
        """Make folders of the dataset. OutputError if they cannot be made."""
        for name in names:
            try:
                (self.folder / name).mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise OutputError(f"{self.folder / name} cannot be made: {reason(error)}") from None

    def save(self, name: str, **arrays: NDArray[Any]) -> None:
        """Save arrays that only the preparation needs, in its side folder."""
        data = io.BytesIO()
        np.savez(data, allow_pickle=False, **arrays)
        write_bytes(self.side / name, data.getbuffer())

    def load(self, name: str) -> dict[str, NDArray[Any]]:
        with np.load(self.side / name, allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}


def all_there(paths: Iterable[Path]) -> bool:
    """True if every file exists and is not empty."""
    try:
        return all(path.stat().st_size > 0 for path in paths)
    except OSError:
        return False
