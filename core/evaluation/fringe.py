"""The film's background in the outline of an avatar: seen before any other background."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..dataset.matte import margin_of, outline
from ..images.image import Image

LEAST = 0.15  # distance of the colours of person and background, below which no fringe is seen
SHARE = 0.1  # of the background's colour in the person's pixel


def fringe_pixels(
    image: Image,
    picture: NDArray[np.uint8],
    background: NDArray[np.uint8],
    mask: NDArray[np.bool_],
) -> int:
    """image (H, W, 4): the avatar alone. picture, background (H, W, 3), mask (H, W): of the true
    frame. The number of pixels around the mask's border whose colour is mixed from the person's
    nearest inside and more than SHARE of the background."""
    from scipy.ndimage import maximum_filter, minimum_filter

    margin = margin_of(mask.shape[1])
    size = 2 * margin + 1
    band = maximum_filter(mask, size) & ~minimum_filter(mask, size, mode="nearest")
    inner = outline(picture, background, mask, margin).inner
    span = background.astype(np.float32) / 255 - inner
    length = (span * span).sum(-1)
    share = ((image[..., :3] - image[..., 3:] * inner) * span).sum(-1) / np.maximum(length, 1e-6)
    return int((band & (length > LEAST**2) & (share > SHARE)).sum())
