"""The part of the picture that a render computes, from the scene's border."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...core.images.layers import nothing
from ...core.records.arrays import Float32
from ...core.records.camera import Camera
from ..camera import render_size


@dataclass(frozen=True)
class Region:
    """In pixels of the whole picture, rows counted from the top. cropped: the render is as large as
    the region; otherwise it is as large as the picture, and empty outside the region."""

    width: int
    height: int
    left: int
    top: int
    right: int
    bottom: int
    cropped: bool

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of what the render gives."""
        if self.cropped:
            return self.right - self.left, self.bottom - self.top
        return self.width, self.height

    def camera(self, whole: Camera) -> Camera:
        """The camera that draws the region alone. whole: of the picture."""
        return replace(
            whole,
            cx=whole.cx - self.left,
            cy=whole.cy - self.top,
            width=self.right - self.left,
            height=self.bottom - self.top,
        )

    def placed(self, heads: Float32) -> Float32:
        """heads (H, W, 6) of the region -> of the size that the render has."""
        if self.cropped or heads.shape[:2] == (self.height, self.width):
            return heads
        out = nothing(self.width, self.height)
        out[self.top : self.bottom, self.left : self.right] = heads
        return out


def region_of(scene: Any) -> Region:
    """Rounded as Blender does: its border counts from the lower left, in float32."""
    render, (width, height) = scene.render, render_size(scene)
    if not render.use_border:
        return Region(width, height, 0, 0, width, height, False)

    def pixel(share: float, side: int) -> int:
        return int(np.float32(share) * np.float32(side))

    left, right = pixel(render.border_min_x, width), pixel(render.border_max_x, width)
    low, high = pixel(render.border_min_y, height), pixel(render.border_max_y, height)
    right, high = max(right, left + 1), max(high, low + 1)
    return Region(
        width, height, left, height - high, right, height - low, render.use_crop_to_border
    )
