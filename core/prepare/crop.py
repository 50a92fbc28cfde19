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
# Two faces, half a second or a few seconds apart, are in other framings if they differ by more: in
# size, in boxes. People who lean forward stay below 1.1 in size; who walks about by more than a
# face is cut off by any useful square.
OTHER_SIZE, OTHER_PLACE = 1.3, 1.2
MOST_USUAL = 0.5  # of the searched frames: a framing that has fewer does not decide alone


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


def usual_framing(faces: Boxes) -> Boxes:
    """(k, 4) those of the faces (n, 4) that are in the film's usual framing, if it has one: shots
    from nearer or farther, or with the face elsewhere, are left out later and need no room."""
    sides = np.maximum(faces[:, 2] - faces[:, 0], faces[:, 3] - faces[:, 1])
    middles = (faces[:, :2] + faces[:, 2:]) / 2
    jumps = (np.abs(np.diff(np.log(sides))) > np.log(OTHER_SIZE)) | (
        np.linalg.norm(np.diff(middles, axis=0), axis=1) > OTHER_PLACE * sides[1:]
    )
    shots = np.split(np.arange(len(faces)), np.flatnonzero(jumps) + 1)
    size = np.array([np.median(sides[rows]) for rows in shots])
    place = np.array([np.median(middles[rows], axis=0) for rows in shots])
    apart = np.linalg.norm(place[:, None] - place, axis=2)
    alike = (np.abs(np.log(size[:, None] / size)) <= np.log(OTHER_SIZE)) & (
        apart <= OTHER_PLACE * np.minimum(size[:, None], size)
    )
    counts = alike @ np.array([len(rows) for rows in shots])
    best = int(counts.argmax())
    if counts[best] < MOST_USUAL * len(faces):
        return faces
    chosen = [rows for rows, same in zip(shots, alike[best], strict=True) if same]
    return faces[np.concatenate(chosen)]


def _area(box: Float64) -> float:
    return float((box[2] - box[0]) * (box[3] - box[1]))


def choose_crop(faces: Boxes, width: int, height: int) -> Crop:
    """The square around the faces (n, 4), inside the video."""
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
