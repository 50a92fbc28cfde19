"""How much of a person each pixel of the outline shows: difference matting, as the background is
known (Smith and Blinn 1996).

A mask says yes or no. Hair is neither: a pixel of its edge is a mixture of hair and the wall, and
an avatar that takes it for hair carries a fringe of the wall's colour to every other background.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..records.arrays import Float32

EDGE = 0.012  # of the picture's width: the outline, through which the background may show
NOISE = 0.1  # length of a colour difference that compression and shading explain


class Outline(NamedTuple):
    """alpha (H, W): share of the person, 0 outside the mask, 1 farther inside than the margin.
    inner (H, W, 3): the colour of the person's inside that is nearest to each pixel. float32, 0..1.
    """

    alpha: Float32
    inner: Float32


def outline(
    picture: NDArray[np.uint8],
    background: NDArray[np.uint8],
    mask: NDArray[np.bool_],
    margin: int,
) -> Outline:
    """picture, background (H, W, 3); mask (H, W); margin: width of the outline, pixels, see
    `margin_of`. Where the person looks like the background, the mask decides."""
    from scipy.ndimage import distance_transform_edt, minimum_filter, uniform_filter

    inside = minimum_filter(mask, 2 * margin + 1, mode="nearest")
    if not inside.any():
        return Outline(mask.astype(np.float32), np.asarray(picture / 255, np.float32))
    seen, behind = (image.astype(np.float32) / 255 for image in (picture, background))
    size = (margin | 1, margin | 1)
    weight = uniform_filter(inside.astype(np.float32), size)
    total = uniform_filter(seen * inside[..., None], (*size, 1))
    smooth = total / np.maximum(weight, 1e-3)[..., None]
    nearest = distance_transform_edt(~inside, return_distances=False, return_indices=True)
    inner = smooth[tuple(nearest)]
    span = inner - behind
    length = (span * span).sum(-1)
    share = ((seen - behind) * span).sum(-1) / np.maximum(length, 1e-6)
    share = np.clip(share, 0, 1)
    miss = seen - behind - share[..., None] * span
    sure = length / (length + NOISE**2 + (miss * miss).sum(-1))
    alpha = np.where(mask, sure * share + (1 - sure), 0)
    return Outline(np.where(inside, 1, alpha).astype(np.float32), inner.astype(np.float32))


def margin_of(width: int) -> int:
    """Pixels of the outline in a picture of that width."""
    return max(1, round(EDGE * width))
