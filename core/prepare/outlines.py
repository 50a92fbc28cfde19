"""The persons in a frame: found by a network, or read from the user's masks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..dataset.pictures import read_picture
from ..errors import ArgumentError
from .face import PersonFinder
from .mask_regions import Mask, Regions, to_regions
from .pictures import Pixels
from .segmentation.outline import PERHAPS, PERSON
from .step import Files


@dataclass(frozen=True, eq=False)
class Outlines:
    """finder: None if the user gave masks."""

    files: Files
    finder: PersonFinder | None

    def person(self, row: int, pixels: Pixels) -> Mask:
        """(H, H) the persons of a frame."""
        if self.finder is None:
            return self.given(row) > 0
        return self.finder.find(pixels) > PERSON

    def possible(self, row: int, pixels: Pixels) -> Mask:
        """(H, H) everything that may be a person."""
        if self.finder is None:
            return self.given(row) > 0
        return self.finder.find(pixels) > PERHAPS

    def given(self, row: int) -> Regions:
        """The user's mask of a frame. ArgumentError if it is missing or of another size."""
        folder = self.files.options.parsing
        assert folder is not None
        return to_regions(_read(folder, row, self.files.options.size))


def outlines_of(files: Files) -> Outlines:
    return Outlines(files, PersonFinder() if files.options.parsing is None else None)


def _read(folder: Path, row: int, size: int) -> Pixels:
    path = folder / f"{row}.png"
    if not path.is_file():
        raise ArgumentError(f"--parsing {folder} has no {row}.png; give one mask for every frame")
    picture = read_picture(path)
    if picture.shape[:2] != (size, size):
        raise ArgumentError(
            f"{path} is {picture.shape[1]}x{picture.shape[0]} pixels, the frames are {size}x{size}"
        )
    return picture
