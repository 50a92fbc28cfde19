"""Positions of pixels relative to a face, which may be tilted. Needs Pillow."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from ...records.arrays import Float32, Float64
from ..mask_regions import Mask
from ..mesh import (
    CHIN,
    EYES,
    JAW_LINE,
    LOWER_LIP,
    NOSE_BASE,
    NOSE_TIP,
    OUTER_CORNERS,
    OUTER_LIP,
    OVAL,
)

LOBES = (6, -7)  # places in JAW_LINE at the ear lobes' height
INNER = 0.85  # of the outline's size: well inside the face


@dataclass(frozen=True, eq=False)
class FaceCoordinates:
    """Arrays are (S, S), at the pixels' centres.

    across: from the face's middle in half widths of it, positive to the right of the picture.
    down: from the eyes (0) to the chin (1). under: below the line at which the head ends, in
    heights of the face. oval, inner: pixels inside the face's outline, and well inside it.
    openings: the eyes and the mouth. nose, lip: `down` of the base of the nose and of the lower
    lip. turn: how far the nose stands from the face's middle in half widths, 0 in a frontal view.
    tilt: radians that the face leans. height: of the face, from the eyes to the chin, pixels."""

    across: Float32
    down: Float32
    under: Float32
    oval: Mask
    inner: Mask
    openings: Mask
    nose: float
    lip: float
    turn: float
    tilt: float
    height: float


def face_coordinates(face: Float64, size: int) -> FaceCoordinates:
    """Of a picture with `size` pixels a side. face (478, 2 or more): the mesh in its pixels."""
    points = np.asarray(face[:, :2], np.float64)
    first, last = points[JAW_LINE[0]], points[JAW_LINE[-1]]
    side = (last - first) / max(float(np.linalg.norm(last - first)), 1e-6)
    axes = np.stack([side, [-side[1], side[0]]], 1)
    turned = points @ axes
    columns = (np.arange(size, dtype=np.float32) + 0.5)[None]
    along = columns * np.float32(side[0]) + columns.T * np.float32(side[1])
    below = columns.T * np.float32(side[0]) - columns * np.float32(side[1])
    oval = turned[OVAL]
    half = max(float(np.ptp(oval[:, 0])) / 2, 1e-6)
    middle = float(oval[:, 0].min()) + half
    eyes = float(turned[list(OUTER_CORNERS), 1].mean())
    height = max(float(turned[CHIN, 1]) - eyes, 1e-6)
    outline = points[OVAL]
    centre = outline.mean(0)
    return FaceCoordinates(
        across=(along - np.float32(middle)) / np.float32(half),
        down=(below - np.float32(eyes)) / np.float32(height),
        under=_below_jaw(turned[JAW_LINE], along, below)
        / np.float32(max(np.ptp(oval[:, 1]), 1e-6)),
        oval=polygon(outline, size),
        inner=polygon(centre + INNER * (outline - centre), size),
        openings=polygon(points[list(OUTER_LIP)], size)
        | polygon(points[list(EYES[:6])], size)
        | polygon(points[list(EYES[6:])], size),
        nose=(float(turned[NOSE_BASE, 1]) - eyes) / height,
        lip=(float(turned[LOWER_LIP, 1]) - eyes) / height,
        turn=(float(turned[NOSE_TIP, 0]) - middle) / half,
        tilt=float(np.arctan2(side[1], side[0])),
        height=height,
    )


def _below_jaw(line: Float64, along: Float32, below: Float32) -> Float32:
    """Pixels below the line at which the head ends: the jaw (n, 2) in the face's axes, and at its
    sides the height of the ear lobes."""
    first = int(np.floor(along.min()))
    steps = np.arange(first, int(np.ceil(along.max())) + 1)
    ends = np.full(len(steps), -np.inf)
    for (x0, y0), (x1, y1) in itertools.pairwise(line):
        inside = (steps >= min(x0, x1)) & (steps <= max(x0, x1))
        if x0 != x1:
            heights = y0 + (steps[inside] - x0) / (x1 - x0) * (y1 - y0)
            ends[inside] = np.maximum(ends[inside], heights)
    # Not above the ear lobes: at the ears the line runs nearly straight down.
    lobes = np.where(steps < line[:, 0].mean(), line[LOBES[0], 1], line[LOBES[1], 1])
    ends = np.maximum(ends, lobes).astype(np.float32)
    index = np.clip(np.rint(along).astype(np.intp) - first, 0, len(steps) - 1)
    return np.asarray(below - ends[index], np.float32)


def polygon(points: Float64, size: int) -> Mask:
    """(size, size) pixels inside the closed line through points (n, 2), x and y."""
    from PIL import Image, ImageDraw

    picture = Image.new("1", (size, size))
    ImageDraw.Draw(picture).polygon([(float(x), float(y)) for x, y in points], fill=1)
    return np.asarray(picture, bool)
