"""What the report draws into frames."""

from __future__ import annotations

import numpy as np

from ...images.pillow import pillow
from ...records.arrays import Float64
from ..mask_regions import COLOURS, HEAD, NECK, TORSO, to_regions
from ..mesh import IBUG, OVAL
from ..pictures import Pixels

AXES = ((255, 60, 60), (60, 220, 60), (80, 140, 255))  # x, y, z of the head
TINTS = {HEAD: COLOURS[HEAD], NECK: COLOURS[NECK], TORSO: COLOURS[TORSO]}


def overlay(pixels: Pixels, face: Float64, head: Float64, axes: Float64) -> Pixels:
    """The frame with its landmarks (yellow), the mean head in its pose (cyan) and the head's axes.
    face (478, 2 or more), head (478, 2), axes (4, 2): origin and ends, pixels."""
    from PIL import ImageDraw

    picture = pillow().fromarray(pixels)
    draw = ImageDraw.Draw(picture)
    for x, y in head[::2]:
        draw.point([(x, y)], fill=(0, 230, 230))
    outline = [tuple(head[i]) for i in (*OVAL, OVAL[0])]
    draw.line(outline, fill=(0, 230, 230))
    for x, y in face[IBUG, :2]:
        draw.ellipse([x - 1.5, y - 1.5, x + 1.5, y + 1.5], fill=(255, 235, 0))
    for end, colour in zip(axes[1:], AXES, strict=True):
        draw.line([tuple(axes[0]), tuple(end)], fill=colour, width=2)
    return np.asarray(picture)


def tinted(pixels: Pixels, parsing: Pixels) -> Pixels:
    """The frame with its parts coloured."""
    regions = to_regions(parsing)
    out = pixels.astype(np.float32)
    for region, colour in TINTS.items():
        part = regions == region
        out[part] = 0.6 * out[part] + 0.4 * colour
    return out.astype(np.uint8)


def axes_of(mesh: Float64) -> Float64:
    """(4, 3) the axes' origin between the eyes and their ends half a decimetre away."""
    middle = mesh[[33, 263]].mean(0)
    return middle + np.concatenate([np.zeros((1, 3)), 0.5 * np.eye(3)])
