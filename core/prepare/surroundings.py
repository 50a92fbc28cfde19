"""What a frame shows around the person, small. Needs scipy and Pillow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..images.pillow import resized
from ..records.arrays import Float32
from .background import distance_to
from .background_motion import MARGIN, SIDE, reduced
from .outlines import Outlines
from .segmentation.view import SIDE as WORK


@dataclass(frozen=True, eq=False)
class Surroundings:
    """distance (WORK, WORK): to everything that may be a person, pixels at that size, 255 at most.
    small (SIDE, SIDE, 3): the whole frame, 0 to 255."""

    distance: NDArray[np.uint8]
    small: Float32

    @property
    def empty(self) -> NDArray[np.bool_]:
        """(SIDE, SIDE) pixels that are surely background."""
        factor = WORK // SIDE
        nearest = self.distance.reshape(SIDE, factor, SIDE, factor).min((1, 3))
        return np.asarray(nearest > MARGIN * factor)

    @property
    def grey(self) -> Float32:
        """(SIDE, SIDE)"""
        return np.asarray(self.small.mean(2))


def surroundings(outlines: Outlines, row: int) -> Surroundings:
    pixels = outlines.files.pixels(row)
    possible = outlines.possible(outlines.see(row, pixels))
    part = resized((255 * possible).astype(np.uint8), WORK, WORK, "BOX") > 0
    return Surroundings(np.minimum(distance_to(part), 255).astype(np.uint8), reduced(pixels))
