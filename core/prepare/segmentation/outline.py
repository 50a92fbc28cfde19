"""The person's outline: where the network sees a person, sharpened where the empty background is
known. Needs scipy."""

from __future__ import annotations

import numpy as np

from ...records.arrays import Float32
from ..mask_regions import Mask
from ..pictures import Pixels
from .filters import dilated, eroded, majority

# Probabilities of the network, whose outline lies a little inside the true one. Below the second
# there is only background.
PERSON, PERHAPS = 0.25, 0.1
BAND = 6 / 512  # of the picture's side: how far the network's outline may be wrong
LEAST_CONTRAST = 8.0  # grey levels that the person must differ from the background
EDGE = 0.25  # of the contrast between them: hair and soft edges belong to the person


def sharpen(person: Mask, pixels: Pixels, background: Pixels, known: Mask) -> Mask:
    """The person's outline where it differs from the empty background (where known), within a
    narrow band around the network's outline. All are (H, W); pixels (H, W, 3)."""
    from scipy.ndimage import gaussian_filter

    width = max(2, round(BAND * len(person)))
    band = known & dilated(person, width) & ~eroded(person, width)
    if not band.any():
        return person
    difference = np.maximum(pixels, background) - np.minimum(pixels, background)
    apart = gaussian_filter(difference.max(2).astype(np.float32), 0.6)
    outside = known & ~dilated(person, 2 * width)
    noise = float(np.percentile(apart[outside][::7], 98)) if outside.any() else 0.0
    full = _largest_near(apart, width)
    least = max(LEAST_CONTRAST, 1.5 * noise)
    decided = band & (full > 3 * least)
    return majority(np.where(decided, apart > np.maximum(least, EDGE * full), person), 3)


def _largest_near(values: Float32, radius: int) -> Float32:
    """(H, W) about the largest value within `radius` of each pixel, both sides even."""
    from scipy.ndimage import maximum_filter

    height, width = values.shape
    small = values.reshape(height // 2, 2, width // 2, 2).max((1, 3))
    return maximum_filter(small, 2 * (radius // 2) + 1).repeat(2, 0).repeat(2, 1)
