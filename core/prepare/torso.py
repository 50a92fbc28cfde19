"""The torso picture of each frame. Needs scipy."""

from __future__ import annotations

import numpy as np

from ..images.pillow import pillow
from .filling import fill_coarsely
from .mask_regions import HEAD, NECK, TORSO, Mask, Regions
from .pictures import Pixels
from .segmentation.filters import eroded

NECK_UP, TORSO_UP, BELOW = 53 / 512, 9 / 512, 4 / 512  # of the side (docs/method.md §5.2)
DARKER = 0.98  # factor a row, upward under the chin
SOFT = 4.0  # pixels
EDGE = 2  # pixels at the border of the body that hair shades or covers in part


def torso_picture(pixels: Pixels, regions: Regions) -> Pixels:
    """(H, W, 4) the neck and the torso, cut out and extended under the head, so that a moving
    head uncovers no hole: upward, and below the chin to everything that hair covers."""
    size = len(pixels)
    body = (regions == NECK) | (regions == TORSO)
    out = np.array(pillow().fromarray(pixels).convert("RGBA"))
    out.view(np.uint32)[..., 0] *= body
    covered = regions == HEAD
    for region, up in ((TORSO, TORSO_UP), (NECK, NECK_UP)):
        _upward(out, pixels, regions == region, covered, round(up * size))
    hidden = _under_hair(regions, covered) & (out[..., 3] == 0)
    if hidden.any():
        known = eroded(body, EDGE)
        if known.any():
            colours = np.clip(fill_coarsely(pixels, known) + 0.5, 0, 255).astype(np.uint8)
            out[hidden, :3] = colours[hidden]
            out[hidden, 3] = 255
    return out


def _under_hair(regions: Regions, covered: Mask) -> Mask:
    """The pixels of the head, below the chin, that lie between pixels of the body: hair in front of
    it."""
    neck = regions == NECK
    columns = np.flatnonzero(neck.any(0))
    if not len(columns):
        return np.zeros_like(covered)
    quarter = len(columns) // 4
    chin = int(neck.argmax(0)[columns[quarter : len(columns) - quarter]].max())
    body = (neck | (regions == TORSO))[chin:]
    after = np.maximum.accumulate(body, 1)
    before = np.maximum.accumulate(body[:, ::-1], 1)[:, ::-1]
    out = np.zeros_like(covered)
    out[chin:] = covered[chin:] & after & before
    return out


def _upward(out: Pixels, pixels: Pixels, region: Mask, covered: Mask, rows: int) -> None:
    """Extend a region upward under the head: each column repeats the colour a little below its top,
    darker with every row, blurred sideways."""
    from scipy.ndimage import gaussian_filter

    size = len(pixels)
    columns = np.flatnonzero(region.any(0))
    if not len(columns) or rows < 1:
        return
    tops = region.argmax(0)[columns]
    # Only where the head is right above: elsewhere nothing will be uncovered.
    under = covered[np.maximum(tops - 1, 0), columns] | covered[np.maximum(tops - 3, 0), columns]
    columns, tops = columns[under], tops[under]
    if not len(columns):
        return
    source = np.minimum(tops + round(BELOW * size), size - 1)
    inside = region[source, columns]
    source = np.where(inside, source, tops)
    colour = np.zeros((size, 3))
    colour[columns] = pixels[source, columns]
    there = np.zeros(size)
    there[columns] = 1
    blurred = (
        gaussian_filter(colour, (SOFT, 0)) / np.maximum(gaussian_filter(there, SOFT), 1e-6)[:, None]
    )
    steps = np.arange(1, rows + 1)
    at = (tops - steps[:, None]).ravel()
    across = np.tile(columns, rows)
    darker = np.repeat([DARKER**step for step in steps.tolist()], len(columns))
    free = at >= 0
    free[free] = (out[at[free], across[free], 3] == 0) & covered[at[free], across[free]]
    at, across = at[free], across[free]
    out[at, across, :3] = np.clip(blurred[across] * darker[free, None], 0, 255)
    out[at, across, 3] = 255
