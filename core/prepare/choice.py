"""Which shots of a film show the same person in the same framing, and which of them to use."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..records.arrays import Float64
from .background import evenly_spaced
from .mesh import SKIN_POINTS, STABLE
from .shape import mean_head
from .trust import lower_half

# Twelve people in twelve clips, 402 parts of 0.6 s against the whole and the halves of their own
# clips and against the other clips. The colours at the mesh's points correlate by 0.83 and more
# with one's own and by 0.84 at most with others', so that alone they do not tell people apart; nor
# does the shape: turned heads differ by up to 0.027 decimetres from themselves, people by 0.008 and
# more. But the balance of a face's colours differs by 0.025 at most from one's own, and where it
# differs by 0.05 at most from others', they correlate by 0.72 at most.
BALANCED, ALIKE = 0.05, 0.78
GREY, GREY_ALIKE = 0.03, 0.85  # a face without colour, as in a black-and-white film, has no balance
HALF_ALIKE = 0.9  # halves of faces of different people: 0.87 at most
# A punch-in is 1.1 or more; people who lean forward stay below 1.06 in most shots.
ZOOMED = 1.07
MOVED = 1.2  # radii of the face; people who move stay below 1
LEVEL = 0.012  # logarithm of a zoom below which two framings are the same
SHORT = 12  # trusted frames that a shot needs to be judged
JUDGED = 16  # frames of a shot whose meshes are averaged


@dataclass(frozen=True, eq=False)
class Look:
    """One shot: first and stop rows; trusted frames; head (478, 3), the mean face; colours
    (468, 3); radius of the face and middle (2,), pixels. Without trusted frames the rest is
    empty. zoom: logarithm of the picture's scale against the film's first, as far as known."""

    first: int
    stop: int
    trusted: int
    head: Float64
    colours: Float64
    radius: float
    middle: Float64
    zoom: float = 0.0


def look_of(
    first: int,
    stop: int,
    trusted: NDArray[np.bool_],
    meshes: Float64,
    skin: NDArray[np.uint8],
) -> Look:
    """The look of the frames from `first` to `stop`; trusted (F,), meshes (F, 478, 3), skin
    (F, 468, 3) of all frames."""
    rows = first + np.flatnonzero(trusted[first:stop])
    if not len(rows):
        return Look(
            first, stop, 0, np.zeros((478, 3)), np.zeros((SKIN_POINTS, 3)), 0.0, np.zeros(2)
        )
    points = meshes[rows][:, STABLE]
    middles = points.mean(1)
    radii = np.sqrt(((points - middles[:, None]) ** 2).sum(2).mean(1))
    return Look(
        first,
        stop,
        len(rows),
        mean_head(meshes[evenly_spaced(rows.tolist(), JUDGED)]),
        np.median(skin[evenly_spaced(rows.tolist(), 20 * JUDGED)], axis=0),
        float(np.median(radii)),
        np.asarray(np.median(middles[:, :2], axis=0)),
    )


def likeness(a: Float64, b: Float64) -> float:
    """Correlation of the colours (P, 3) of two faces, each colour less its mean."""
    x, y = a - a.mean(0), b - b.mean(0)
    return float((x * y).sum() / max(np.sqrt((x**2).sum() * (y**2).sum()), 1e-9))


def half_alike(a: Look, b: Look) -> bool:
    """True if the upper or the lower halves of the faces are the same: something covers the other
    half in one of the shots."""
    low = lower_half(a.head)
    return max(likeness(a.colours[half], b.colours[half]) for half in (low, ~low)) >= HALF_ALIKE


def balance(colours: Float64) -> Float64:
    """(2,) of the mean colour of a face (P, 3): the logarithms of red and blue against green."""
    red, green, blue = np.maximum(colours.mean(0), 1.0)
    return np.log([red / green, blue / green])


def same_person(a: Look, b: Look) -> bool:
    """True if the faces of two shots have the same colours, in the same light."""
    first, second = balance(a.colours), balance(b.colours)
    grey = max(np.abs(first).max(), np.abs(second).max()) < GREY
    alike = likeness(a.colours, b.colours) >= (GREY_ALIKE if grey else ALIKE)
    return alike and float(np.linalg.norm(first - second)) <= BALANCED


def same_framing(a: Look, b: Look) -> bool:
    """True if the face is as large and about at the same place."""
    ratio = max(a.radius, b.radius) / max(min(a.radius, b.radius), 1e-9)
    moved = float(np.linalg.norm(a.middle - b.middle)) / max(a.radius, b.radius, 1e-9)
    return ratio <= ZOOMED and moved <= MOVED and abs(a.zoom - b.zoom) <= LEVEL


def chosen(looks: list[Look]) -> tuple[list[int], int]:
    """Indices of the shots to use: those like one of them, `seed`, that together have most trusted
    frames; and `seed`. Empty and -1 if no shot has enough."""
    judged = [index for index, look in enumerate(looks) if look.trusted >= SHORT]
    best: list[int] = []
    seed = -1
    most = 0
    for index in sorted(judged, key=lambda index: -looks[index].trusted):
        alike = [
            other
            for other in judged
            if same_framing(looks[index], looks[other]) and same_person(looks[index], looks[other])
        ]
        frames = sum(looks[other].trusted for other in alike)
        if frames > most:
            best, seed, most = alike, index, frames
    return best, seed
