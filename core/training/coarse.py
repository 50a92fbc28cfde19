"""Coarse to fine: the stages static and motion begin on pictures of half the size.

First steps need no details, and so take a fifth less time.
"""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from .batches import HeadCrop

SMALL = 0.5  # share of each stage on pictures of half the size
LEAST = 256  # pixels; a picture with a shorter side is not halved


def crop_at(progress: float, crop: HeadCrop) -> HeadCrop:
    """The crop that a stage uses at that progress."""
    small = progress < SMALL and min(crop.target.shape[:2]) >= LEAST
    return halved(crop) if small else crop


def halved(crop: HeadCrop) -> HeadCrop:
    """The crop with a pixel for each 2 x 2, which has their mean; an odd last row or column is
    left out."""
    height, width = (side // 2 for side in crop.target.shape[:2])
    camera = replace(crop.camera, width=2 * width, height=2 * height).resized(width, height)
    lips = None
    if crop.lips is not None:
        top, bottom, left, right = (side // 2 for side in crop.lips)
        lips = (top, bottom, left, right) if bottom > top and right > left else None
    target, background, head = (_halved(x) for x in (crop.target, crop.background, crop.head))
    return HeadCrop(crop.row, camera, target, background, head, lips)


def _halved(picture: Tensor) -> Tensor:
    """(h, w, ...) of (H, W, ...)."""
    height, width = (side // 2 for side in picture.shape[:2])
    even = picture[: 2 * height, : 2 * width]
    return even.reshape(height, 2, width, 2, *picture.shape[2:]).mean((1, 3))
