"""The picture that every path shares, and the one place that says what its numbers mean."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]
"""float32 (H, W, 4), first row on top. Red, green, blue are sRGB-ENCODED (the network was trained
on 8-bit video and splats blend in that space), premultiplied by alpha, nominally in [0, 1] but not
clipped. Alpha is coverage: 1 - transmittance of the splats, or 1 over a background."""

Pixels = NDArray[np.uint8]
"""uint8 (H, W, 4) as `to_uint8` makes them: sRGB-encoded, STRAIGHT alpha. A renderer on a GPU may
make them there, by the same arithmetic."""


def to_uint8(image: Image) -> Pixels:
    """(H, W, 4) uint8 with STRAIGHT alpha, as PNG wants it. Scaled by 255, clipped, truncated:
    official renders truncate (docs/method.md §3.9), so an opaque picture equals theirs bit for
    bit."""
    if (image[..., 3] == 1).all():  # over a background: a third of the time
        straight = np.clip(image, 0, 1)
    else:
        alpha = np.clip(image[..., 3:], 0, 1)
        colour = np.divide(
            image[..., :3], alpha, out=np.zeros_like(image[..., :3]), where=alpha > 0
        )
        straight = np.concatenate([colour, alpha], axis=-1)
        np.clip(straight, 0, 1, out=straight)
    straight *= np.float32(255)
    return straight.astype(np.uint8)


def to_linear(image: Image) -> Image:
    """(H, W, 4) float32, scene-linear (Rec. 709 primaries), premultiplied, as EXR wants it: the
    straight colour is decoded by the sRGB curve and multiplied by alpha again."""
    alpha = np.clip(image[..., 3:], 0, 1)
    colour = np.divide(image[..., :3], alpha, out=np.zeros_like(image[..., :3]), where=alpha > 0)
    colour = np.maximum(colour, 0)
    linear = np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)
    return np.concatenate([linear * alpha, alpha], axis=-1).astype(np.float32)


def to_encoded(linear: Image) -> Image:
    """The inverse of `to_linear`: (H, W, 4) float32, sRGB-encoded, premultiplied."""
    alpha = np.clip(linear[..., 3:], 0, 1)
    colour = np.divide(linear[..., :3], alpha, out=np.zeros_like(linear[..., :3]), where=alpha > 0)
    curved = 1.055 * np.maximum(colour, 0.0031308) ** (1 / 2.4) - 0.055
    encoded = np.where(colour <= 0.0031308, colour * 12.92, curved)
    return np.concatenate([encoded * alpha, alpha], axis=-1).astype(np.float32)
