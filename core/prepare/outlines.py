"""The persons in a frame: found by a network, or read from the user's masks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..dataset.pictures import read_picture
from ..errors import ArgumentError
from ..records.arrays import Float32
from .face import PersonFinder
from .mask_regions import Mask, Regions, to_regions
from .pictures import Pixels
from .segmentation.filters import enlarged
from .segmentation.network import Network, load_network
from .segmentation.outline import PERHAPS, PERSON, SURE
from .step import Files

HALF = 0.5  # the outline of a network that the user names is where it says so


@dataclass(frozen=True, eq=False)
class Seen:
    """person (H, H): the probability that a pixel belongs to a person. parts: as of `Network.find`,
    None if only the outline is known."""

    person: Float32
    parts: Mapping[str, Float32] | None = None


@dataclass(frozen=True, eq=False)
class Outlines:
    """finder: MediaPipe's network, or the user's; None if the user gave masks. surely: the
    probability from which a pixel belongs to a person."""

    files: Files
    finder: PersonFinder | Network | None
    surely: float

    @property
    def have_parts(self) -> bool:
        """The clip's colours are not needed to tell head, neck and torso apart."""
        return self.finder is None or (isinstance(self.finder, Network) and self.finder.has_parts)

    def see(self, row: int, pixels: Pixels) -> Seen:
        if self.finder is None:
            return Seen((self.given(row) > 0).astype(np.float32))
        if isinstance(self.finder, PersonFinder):
            return Seen(self.finder.find(pixels))
        found = self.finder.find(pixels)
        persons = [chance for kind, chance in found.items() if kind != "background"]
        whole = enlarged(np.add.reduce(persons), len(pixels))
        return Seen(whole, found if self.finder.has_parts else None)

    def person(self, seen: Seen) -> Mask:
        """(H, H) the persons of a frame."""
        return seen.person > self.surely

    def sure(self, seen: Seen) -> Mask:
        """(H, H) what surely is a person."""
        return seen.person > SURE

    def possible(self, seen: Seen) -> Mask:
        """(H, H) everything that may be a person."""
        return seen.person > PERHAPS

    def given(self, row: int) -> Regions:
        """The user's mask of a frame. ArgumentError if it is missing or of another size."""
        folder = self.files.options.parsing
        assert folder is not None
        return to_regions(_read(folder, row, self.files.options.size))


def outlines_of(files: Files) -> Outlines:
    options = files.options
    if options.parsing is not None:
        return Outlines(files, None, PERSON)
    if options.segmenter is not None:
        return Outlines(files, load_network(options.segmenter), HALF)
    return Outlines(files, PersonFinder(), PERSON)


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
