"""The empty background of a clip, and of single frames. Needs scipy."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..records.arrays import Float32, Float64
from ..system.threads import for_each
from .filling import fill, fill_coarsely
from .mask_regions import Mask
from .pictures import Pixels
from .segmentation.filters import dilated

# Of the side: a pixel is known if the person is ever farther away than the first; filled pixels
# nearer to known ones than the second count as known.
LEAST_DISTANCE, GOOD_FILL = 6 / 512, 10 / 512
STRIP = 32  # rows of a picture whose median is found at a time


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

    def finish(self, threads: int = 1) -> tuple[Pixels, Mask]:
        """The background (H, H, 3), filled where the person always stood, and a mask (H, H) of
        where it is known: seen, or filled from nearby pixels. The result does not depend on the
        threads."""
        from scipy.ndimage import binary_dilation

        size = len(self._far)
        known = self._far > max(2.0, LEAST_DISTANCE * size)
        background = np.zeros((size, size, 3))

        def find(first: int) -> None:
            strip = slice(first, first + STRIP)
            background[strip] = self._median(strip)

        for_each(find, range(0, size, STRIP), threads)
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
    seen = ~dilated(person, max(2, round(LEAST_DISTANCE * len(pixels))))
    change = fill_coarsely(pixels, seen) - fill_coarsely(picture, seen)
    inside = np.clip(picture + change + 0.5, 0, 255).astype(np.uint8)
    return np.where(seen[..., None], pixels, inside)


def evenly_spaced(rows: Iterable[int], most: int) -> list[int]:
    """At most `most` of the rows, evenly."""
    all_rows = list(rows)
    if len(all_rows) <= most:
        return all_rows
    return [all_rows[i] for i in np.linspace(0, len(all_rows) - 1, most).astype(int)]
