"""PSNR and SSIM of two pictures, over the whole picture or inside a mask.

Pictures are (H, W, 3) in [0, 1], sRGB-encoded, any float type.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..records.arrays import Float64

Picture = NDArray[np.floating]
Mask = NDArray[np.bool_]

TAPS, SIGMA = 11, 1.5  # of the SSIM window, pixels
C1, C2 = 0.01**2, 0.03**2  # keep its quotients finite, for a range of 1
BEST = 100.0  # dB, for pictures that are equal


def psnr(picture: Picture, truth: Picture, mask: Mask | None = None) -> float:
    """dB, -10 log10 of the mean squared error over the frame or where mask (H, W) is True. NaN for
    an empty mask; 100 at most."""
    error = np.square(picture.astype(np.float64) - truth)
    if mask is not None:
        error = error[mask]
    if not error.size:
        return math.nan
    return min(BEST, -10 * math.log10(max(float(error.mean()), 1e-30)))


def ssim(picture: Picture, truth: Picture, mask: Mask | None = None) -> float:
    """Structural similarity (Wang et al. 2004): Gaussian window of 11 x 11, sigma 1.5, population
    variances, mean over the three channels and all windows that lie inside the picture, or those
    whose centre is in mask (H, W). NaN if there is none. core/training/losses.py has the same
    with a gradient."""
    values = ssim_map(picture, truth)
    if mask is not None:
        values = values[_inner(mask)]
    return float(values.mean()) if values.size else math.nan


def ssim_map(picture: Picture, truth: Picture) -> Float64:
    """(H - 10, W - 10), one value for each window inside the picture. Windows in which the pictures
    are equal are exactly 1, so only the box in which they differ is computed."""
    height, width = (max(0, side - TAPS + 1) for side in truth.shape[:2])
    out = np.ones((height, width))
    differ = (picture != truth).any(axis=2)
    if not out.size or not differ.any():
        return out
    # In window numbers: the first window that contains a different pixel, and the last.
    box = []
    for axis, count in ((1, height), (0, width)):
        places = np.flatnonzero(differ.any(axis=axis))
        first, last = max(0, places[0] - TAPS + 1), min(count - 1, places[-1])
        box.append((first, last + 1))
    (y0, y1), (x0, x1) = box
    if y0 >= y1 or x0 >= x1:
        return out
    part = (slice(y0, y1 + TAPS - 1), slice(x0, x1 + TAPS - 1))
    a, b = picture[part].astype(np.float64), truth[part].astype(np.float64)
    mean_a, mean_b = _blurred(a), _blurred(b)
    variance_a = _blurred(a * a) - mean_a**2
    variance_b = _blurred(b * b) - mean_b**2
    covariance = _blurred(a * b) - mean_a * mean_b
    values = (2 * mean_a * mean_b + C1) * (2 * covariance + C2)
    values /= (mean_a**2 + mean_b**2 + C1) * (variance_a + variance_b + C2)
    out[y0:y1, x0:x1] = values.mean(axis=2)
    return out


def _inner(mask: Mask) -> Mask:
    edge = TAPS // 2
    return mask[edge : mask.shape[0] - edge, edge : mask.shape[1] - edge]


def window() -> Float64:
    """(11,) weights of one line of the SSIM window, sum 1."""
    places = np.arange(TAPS) - TAPS // 2
    weights = np.exp(-(places**2) / (2 * SIGMA**2))
    return weights / weights.sum()


def _blurred(values: Float64) -> Float64:
    """Windows inside the array only: (H, W, C) -> (H - 10, W - 10, C)."""
    weights = window()
    rows, columns = values.shape[0] - TAPS + 1, values.shape[1] - TAPS + 1
    down = sum(w * values[k : k + rows] for k, w in enumerate(weights))
    across = sum(w * down[:, k : k + columns] for k, w in enumerate(weights))
    return np.asarray(across)
