"""A frame at the size at which it is segmented."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...images.pillow import pillow, resized
from ...records.arrays import Float32, Float64
from ..mask_regions import Mask
from ..pictures import Pixels
from .colours import to_lab
from .coordinates import FaceCoordinates, face_coordinates
from .filters import enlarged, one_piece

SIDE = 256  # pixels: as many as the outline's network has


@dataclass(frozen=True, eq=False)
class View:
    """grey (SIDE, SIDE): 0 to 255. lab (SIDE, SIDE, 3): colours as of `to_lab`. outline (SIDE,
    SIDE): of all persons. person (SIDE, SIDE): its piece that contains the face. sure (SIDE, SIDE):
    pixels that the network is sure of. place: of the pixels relative to the face."""

    grey: Float32
    lab: Float32
    outline: Mask
    person: Mask
    sure: Mask
    place: FaceCoordinates


def view_of(pixels: Pixels, person: Mask, face: Float64, sure: Mask | None = None) -> View:
    """Of a frame (H, H, 3), its persons' outline (H, H) and mesh (478, 2 or more), pixels. sure (H,
    H): where the network is sure of them, None if it is sure nowhere."""
    place = face_coordinates(face * (SIDE / len(pixels)), SIDE)
    small = resized(pixels, SIDE, SIDE, "BOX")
    outline = _reduced(person)
    certain = np.zeros_like(outline) if sure is None else _reduced(sure)
    return View(
        grey(small), to_lab(small), outline, one_piece(outline, place.inner), certain, place
    )


def _reduced(mask: Mask) -> Mask:
    if len(mask) == 2 * SIDE:  # the usual size: two of four pixels count
        halves = mask.view(np.uint8)
        rows = halves[::2] + halves[1::2]
        return np.asarray(rows[:, ::2] + rows[:, 1::2] >= 2)
    return enlarged(mask.astype(np.float32), SIDE) > 0.5


def grey(pixels: Pixels) -> Float32:
    """(H, W) luma, 0 to 255, of (H, W, 3)."""
    return np.asarray(pillow().fromarray(pixels).convert("L"), np.float32)
