"""Pictures of a report: crops and differences. Needs Pillow."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...images.pillow import resized

Box = tuple[int, int, int, int]  # y0, y1, x0, x1
DIFFERENCE_GAIN = 4
STRIP_HEIGHT = 256  # pixels, at most


def to_bytes(picture: NDArray[np.floating]) -> NDArray[np.uint8]:
    """(H, W, 3 or 4) in [0, 1] -> (H, W, 3) uint8, truncated as in the project's PNG files."""
    scaled = np.clip(picture[..., :3], 0, 1) * np.float32(255)
    return np.asarray(scaled, np.float32).astype(np.uint8)


def difference(picture: NDArray[np.uint8], truth: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, 3) four times the absolute difference, clipped to 255."""
    gap = np.abs(picture.astype(np.int16) - truth) * DIFFERENCE_GAIN
    return np.minimum(gap, 255).astype(np.uint8)


def cropped(picture: NDArray[np.uint8], box: Box, height: int = STRIP_HEIGHT) -> NDArray[np.uint8]:
    """The part inside the box, reduced to at most `height` pixels."""
    y0, y1, x0, x1 = box
    part = picture[y0:y1, x0:x1]
    if part.shape[0] <= height:
        return np.ascontiguousarray(part)
    width = max(1, round(part.shape[1] * height / part.shape[0]))
    return resized(part, width, height, "LANCZOS")


def enlarged(picture: NDArray[np.uint8], box: Box, height: int) -> NDArray[np.uint8]:
    """The part inside the box, resized to `height` pixels."""
    y0, y1, x0, x1 = box
    part = np.ascontiguousarray(picture[y0:y1, x0:x1])
    width = max(1, round(part.shape[1] * height / part.shape[0]))
    return resized(part, width, height, "BICUBIC")
