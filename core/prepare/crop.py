"""The square of a video that becomes the pictures: around the face, with hair and shoulders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import VideoError
from ..records.arrays import Float64

Boxes = Float64

SIDE = 3.2  # of the square, in sides of a face's box; the head then fills half of the height
ABOVE, BESIDE = 0.9, 0.8  # face boxes: room above the face and at its sides, wherever it moves
FACE_HEIGHT = 0.47  # from the square's upper edge to the middle of the face, in sides of the square
SQUARE_FACE = 0.18  # face box in sides of a square video, from which its framing stays
RIVAL = 0.3  # area of a second face, in areas of the first, that makes it a second person
MOST_RIVALS, LEAST_FACES = 0.15, 0.5  # of the searched frames


@dataclass(frozen=True)
class Crop:
    """Pixels of the upright video."""

    x: int
    y: int
    side: int

    def part(self, width: int, height: int) -> tuple[float, float, float, float]:
        """x0, y0, x1, y1 in shares of a video of this size."""
        x1, y1 = self.x + self.side, self.y + self.side
        return self.x / width, self.y / height, x1 / width, y1 / height


def given_crop(crop: tuple[int, int, int], width: int, height: int) -> Crop:
    x, y, side = crop
    if x + side > width or y + side > height:
        raise VideoError(
            f"--crop {x},{y},{side} leaves the video, which is {width}x{height} upright pixels"
        )
    return Crop(x, y, side)


def check_faces(found: Sequence[Boxes], name: str) -> Boxes:
    """(n, 4) the face of every searched picture that has one. VideoError: no face, or two."""
    firsts = [boxes[0] for boxes in found if len(boxes)]
    if len(firsts) < LEAST_FACES * len(found):
        raise VideoError(
            f"{name} shows a face in {len(firsts)} of {len(found)} searched frames; give a video "
            "of one person who faces the camera, or its part with --start and --seconds"
        )
    rivals = sum(len(boxes) > 1 and _area(boxes[1]) > RIVAL * _area(boxes[0]) for boxes in found)
    if rivals > MOST_RIVALS * len(found):
        raise VideoError(
            f"{name} shows two faces in {rivals} of {len(found)} searched frames; cut it to one "
            "person, or name the person's square with --crop x,y,side"
        )
    return np.array(firsts)


def _area(box: Float64) -> float:
    return float((box[2] - box[0]) * (box[3] - box[1]))


def choose_crop(faces: Boxes, width: int, height: int) -> Crop:
    """The square around the faces of all searched pictures (n, 4), inside the video."""
    sides = np.maximum(faces[:, 2] - faces[:, 0], faces[:, 3] - faces[:, 1])
    box = float(np.median(sides))
    if width == height and box >= SQUARE_FACE * width:
        return Crop(0, 0, width)
    # The face may be wrong in a few frames: the outermost tenth does not count.
    x0, y0 = np.percentile(faces[:, :2], 5, axis=0)
    x1, y1 = np.percentile(faces[:, 2:], 95, axis=0)
    needed = max(x1 - x0 + 2 * BESIDE * box, (y1 - y0 + ABOVE * box) / (1 - FACE_HEIGHT))
    side = int(min(max(SIDE * box, needed), width, height))
    x = round((x0 + x1) / 2 - side / 2)
    y = round(min((y0 + y1) / 2 - FACE_HEIGHT * side, y0 - 0.7 * box))
    return Crop(min(max(x, 0), width - side), min(max(y, 0), height - side), side)
