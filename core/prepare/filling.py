"""Fill what is not known of a picture smoothly. Needs scipy."""

from __future__ import annotations

import numpy as np

from ..images.pillow import resized
from ..records.arrays import Float32, Float64
from .mask_regions import Mask
from .pictures import Pixels
from .segmentation.filters import enlarged

COARSE = 4  # pixels: what is filled is smooth
HALF_SEEN = 0.5


def fill(picture: Float64, known: Mask) -> Pixels:
    """Fill the unknown pixels of (H, W, 3) smoothly: the picture is halved until all are known, and
    each size takes what it lacks from the next smaller one."""
    if known.all() or not known.any():
        return np.clip(picture + 0.5, 0, 255).astype(np.uint8)
    return np.clip(_fill(picture, known.astype(np.float64)) + 0.5, 0, 255).astype(np.uint8)


def fill_coarsely(pixels: Pixels, known: Mask) -> Float32:
    """(H, H, 3) of pixels (H, H, 3): what is not known is filled, what is known is blurred over a
    few pixels. In a tenth of the time of `fill`."""
    size = len(pixels)
    side = size // COARSE
    weight = resized((255 * known).astype(np.uint8), side, side, "BOX") / 255.0
    shown = resized(pixels * known[..., None], side, side, "BOX").astype(np.float64)
    shown /= np.maximum(weight, 1e-3)[..., None]
    shown = _fill(shown, np.where(weight > HALF_SEEN, weight, 0.0))
    return np.stack([enlarged(shown[..., k].astype(np.float32), size) for k in range(3)], -1)


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
