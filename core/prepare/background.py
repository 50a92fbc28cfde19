"""The empty background of a clip and the torso picture of each frame. Needs scipy."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from ..images.pillow import pillow, resized
from ..records.arrays import Float32, Float64
from .mask_regions import HEAD, NECK, TORSO, Mask
from .pictures import Pixels
from .segmentation.filters import dilated, enlarged

# Of the side: a pixel is known if the person is ever farther away than the first; filled pixels
# nearer to known ones than the second count as known.
LEAST_DISTANCE, GOOD_FILL = 6 / 512, 10 / 512
NECK_UP, TORSO_UP, BELOW = 53 / 512, 9 / 512, 4 / 512  # of the side (docs/method.md §5.2)
DARKER = 0.98  # factor a row, upward under the chin
SOFT = 4.0  # pixels
STRIP = 32  # rows of a picture whose median is found at a time
COARSE = 4  # pixels: what is filled is smooth
HALF_SEEN = 0.5


class BackgroundMedian:
    """The background without the person: the median of each pixel over the frames in which the
    person is about as far from it as in any frame. A median leaves out what covers a pixel for a
    moment: a shadow, a hand, a piece of the person outside its outline."""

    def __init__(self, size: int) -> None:
        self._far = np.zeros((size, size), np.float32)
        self._frames: list[Pixels] = []
        self._distances: list[Float32] = []

    def add(self, pixels: Pixels, distance: Float32) -> None:
        """Add a frame (H, H, 3). distance (H, H): to the person, pixels."""
        np.maximum(self._far, distance, out=self._far)
        self._frames.append(pixels)
        self._distances.append(distance.astype(np.float16))

    def finish(self) -> tuple[Pixels, Mask]:
        """The background (H, H, 3), filled where the person always stood, and a mask (H, H) of
        where it is known: seen, or filled from nearby pixels."""
        from scipy.ndimage import binary_dilation

        size = len(self._far)
        known = self._far > max(2.0, LEAST_DISTANCE * size)
        background = np.zeros((size, size, 3))
        for first in range(0, size, STRIP):
            strip = slice(first, first + STRIP)
            background[strip] = self._median(strip)
        return fill(background, known), binary_dilation(known, iterations=round(GOOD_FILL * size))

    def _median(self, strip: slice) -> Float64:
        """(h, H, 3) of some rows of the picture."""
        values = np.stack([frame[strip] for frame in self._frames], -1)
        used = np.stack([d[strip] for d in self._distances], -1) >= 0.8 * self._far[strip, :, None]
        # What is not used is sorted to the end.
        ranked = np.sort(np.where(used[:, :, None], values, np.uint8(255)), -1)
        count = used.sum(-1)[..., None, None]
        low, high = (np.take_along_axis(ranked, k, -1) for k in ((count - 1) // 2, count // 2))
        return (low[..., 0].astype(np.float64) + high[..., 0]) / 2


def distance_to(person: Mask) -> Float32:
    """(H, W) the distance of each pixel to the person, pixels."""
    from scipy.ndimage import distance_transform_edt

    if not person.any():
        return np.full(person.shape, sum(person.shape), np.float32)
    return np.asarray(distance_transform_edt(~person), np.float32)


def own_background(pixels: Pixels, person: Mask, picture: Pixels) -> Pixels:
    """(H, H, 3) a frame's own background: its pixels outside the person (H, H), and inside the
    clip's background `picture`, changed smoothly so that the two meet."""
    size = len(pixels)
    seen = ~dilated(person, max(2, round(LEAST_DISTANCE * size)))
    side = size // COARSE
    weight = resized((255 * seen).astype(np.uint8), side, side, "BOX") / 255.0
    here, there = (
        resized(np.where(seen[..., None], part, 0), side, side, "BOX").astype(np.float64)
        for part in (pixels, picture)
    )
    change = (here - there) / np.maximum(weight, 1e-3)[..., None]
    change = _fill(change, np.where(weight > HALF_SEEN, weight, 0.0))
    whole = np.stack([enlarged(change[..., k].astype(np.float32), size) for k in range(3)], -1)
    inside = np.clip(picture + whole + 0.5, 0, 255).astype(np.uint8)
    return np.where(seen[..., None], pixels, inside)


def fill(picture: Float64, known: Mask) -> Pixels:
    """Fill the unknown pixels of (H, W, 3) smoothly: the picture is halved until all are known, and
    each size takes what it lacks from the next smaller one."""
    if known.all() or not known.any():
        return np.clip(picture + 0.5, 0, 255).astype(np.uint8)
    return np.clip(_fill(picture, known.astype(np.float64)) + 0.5, 0, 255).astype(np.uint8)


def _fill(picture: Float64, weight: Float64) -> Float64:
    from scipy.ndimage import zoom

    if weight.min() > 0 or min(weight.shape) < 2:
        return picture
    height, width = weight.shape
    padded = np.pad(picture * weight[..., None], ((0, height % 2), (0, width % 2), (0, 0)), "edge")
    weights = np.pad(weight, ((0, height % 2), (0, width % 2)), "edge")
    half = (padded.shape[0] // 2, 2, padded.shape[1] // 2, 2)
    small_weight = weights.reshape(half).sum((1, 3))
    small = padded.reshape(*half, 3).sum((1, 3)) / np.maximum(small_weight, 1e-9)[..., None]
    small = _fill(small, np.minimum(small_weight, 1))
    large = zoom(small, (2, 2, 1), order=1, mode="nearest", grid_mode=True)[:height, :width]
    return np.where(weight[..., None] > 0, picture, large)


def torso_picture(pixels: Pixels, regions: NDArray[np.uint8]) -> Pixels:
    """(H, W, 4) the neck and the torso, cut out and extended upward under the head, so that a
    moving head uncovers no hole."""
    size = len(pixels)
    body = (regions == NECK) | (regions == TORSO)
    out = np.array(pillow().fromarray(pixels).convert("RGBA"))
    out.view(np.uint32)[..., 0] *= body
    covered = regions == HEAD
    for region, up in ((TORSO, TORSO_UP), (NECK, NECK_UP)):
        _upward(out, pixels, regions == region, covered, round(up * size))
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
    for step in range(1, rows + 1):
        row = tops - step
        ok = row >= 0
        at, across = row[ok], columns[ok]
        free = (out[at, across, 3] == 0) & covered[at, across]
        values = blurred[across[free]] * DARKER**step
        out[at[free], across[free], :3] = np.clip(values, 0, 255)
        out[at[free], across[free], 3] = 255


def evenly_spaced(rows: Iterable[int], most: int) -> list[int]:
    """At most `most` of the rows, evenly."""
    all_rows = list(rows)
    if len(all_rows) <= most:
        return all_rows
    return [all_rows[i] for i in np.linspace(0, len(all_rows) - 1, most).astype(int)]
