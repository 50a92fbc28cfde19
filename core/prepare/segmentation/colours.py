"""Colours of a clip's skin, hair and clothes. Needs scipy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ...records.arrays import Float32
from ..pictures import Pixels

BINS = 24  # a channel: about ten of 256 levels, as much as noise and light change a colour
SMOOTH = 1.2  # bins
BITS = 6  # of each sRGB channel: finer than a bin
_SRGB = np.array([[0.4125, 0.3576, 0.1804], [0.2127, 0.7152, 0.0722], [0.0193, 0.1192, 0.9503]])
_WHITE = _SRGB.sum(1, keepdims=True)
_LEVELS = np.arange(256) / 255
_LINEAR = np.where(_LEVELS <= 0.04045, _LEVELS / 12.92, ((_LEVELS + 0.055) / 1.055) ** 2.4).astype(
    np.float32
)


def to_lab(pixels: Pixels) -> Float32:
    """(..., 3) CIE L*a*b* (D65) of sRGB pixels, to a two-hundredth of the range, each channel
    scaled to 0..255: L* 0..100 by 2.55, a* and b* moved by 128."""
    steps = (pixels >> (8 - BITS)).astype(np.int32)
    index = (steps[..., 0] << (2 * BITS)) | (steps[..., 1] << BITS) | steps[..., 2]
    return _table()[index]


@cache
def _table() -> Float32:
    """(8^BITS, 3) the colour of every coarse sRGB value."""
    width = 256 >> BITS
    levels = _LINEAR[np.arange(width // 2, 256, width)]
    rgb = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), -1).reshape(-1, 3)
    xyz = rgb @ (_SRGB / _WHITE).T
    root = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    x, y, z = root.T
    lab = np.stack([2.55 * (116 * y - 16), 500 * (x - y) + 128, 200 * (y - z) + 128], -1)
    return lab.astype(np.float32)


@dataclass(frozen=True, eq=False)
class Colours:
    """log_share (BINS^3, K): the logarithm of the share of each colour in each of K parts."""

    log_share: Float32

    def likelihoods(self, lab: Float32) -> Float32:
        """(n, K) log-likelihoods of the parts for colours (n, 3)."""
        return self.log_share[_bins(lab)]


def learn_colours(parts: Sequence[Float32], rare: Sequence[float]) -> Colours:
    """From samples (n, 3) of each part, as of `to_lab`. rare: the share of a colour that the part
    never showed; a part without samples has every colour as rarely."""
    from scipy.ndimage import gaussian_filter

    columns = []
    for values, least in zip(parts, rare, strict=True):
        counts = np.bincount(_bins(values), minlength=BINS**3).astype(np.float64)
        smooth = gaussian_filter(counts.reshape(BINS, BINS, BINS), SMOOTH).ravel()
        columns.append(np.log(smooth / max(smooth.sum(), 1.0) + least))
    return Colours(np.stack(columns, 1).astype(np.float32))


def _bins(lab: Float32) -> NDArray[np.intp]:
    """(n,) the bin of each colour (n, 3)."""
    places = np.clip(lab * (BINS / 256), 0, BINS - 1).astype(np.intp)
    return np.asarray((places[:, 0] * BINS + places[:, 1]) * BINS + places[:, 2])
