"""The person's outline: where the network sees a person, sharpened where the empty background is
known. Needs scipy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...records.arrays import Float32
from ..mask_regions import Mask
from ..pictures import Pixels
from .filters import dilated, eroded, majority, softened

# Probabilities of the network, whose outline lies a little inside the true one. Below the second
# there is only background.
PERSON, PERHAPS = 0.25, 0.1
SURE = 0.75  # of hair it is; of a dark wall around the head that it takes for a person it is not
BAND = 6 / 512  # of the picture's side: how far the network's outline may be wrong
LEAST_CONTRAST = 8.0  # grey levels that the person must differ from the background
EDGE = 0.25  # of the contrast between them: hair and soft edges belong to the person


def sharpen(person: Mask, pixels: Pixels, background: Pixels, known: Mask) -> Mask:
    """The person's outline where it differs from the empty background (where known), within a
    narrow band around the network's outline. All are (H, W), both sides even; pixels and
    background (H, W, 3)."""
    width = max(2, round(BAND * len(person)))
    half = max(1, width // 2)
    any_of, all_of = _halved(person, np.maximum), _halved(person, np.minimum)
    band = known & _doubled(dilated(any_of, half) & ~eroded(all_of, half))
    if not band.any():
        return person
    difference = np.maximum(pixels, background) - np.minimum(pixels, background)
    largest = np.maximum(np.maximum(difference[..., 0], difference[..., 1]), difference[..., 2])
    apart = softened(largest.astype(np.float32))
    outside = known & _doubled(~dilated(any_of, width))
    noise = float(np.percentile(apart[outside][::7], 98)) if outside.any() else 0.0
    full = _largest_near(apart, half)
    least = max(LEAST_CONTRAST, 1.5 * noise)
    decided = band & (full > 3 * least)
    return majority(np.where(decided, apart > np.maximum(least, EDGE * full), person))


def _halved(values: NDArray[Any], fold: np.ufunc) -> NDArray[Any]:
    """(H / 2, W / 2) the largest or least of 2 x 2 values."""
    rows = fold(values[::2], values[1::2])
    return np.asarray(fold(rows[:, ::2], rows[:, 1::2]))


def _doubled(values: NDArray[Any]) -> NDArray[Any]:
    return values.repeat(2, 0).repeat(2, 1)


def _largest_near(values: Float32, radius: int) -> Float32:
    """(H, W) about the largest value within 2 `radius` of each pixel."""
    from scipy.ndimage import maximum_filter

    return _doubled(maximum_filter(_halved(values, np.maximum), 2 * radius + 1))
