"""Rays of a camera through parts of its picture, for programs that ask a scene what they hit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..records.arrays import Float64
from ..records.camera import Camera


@dataclass(frozen=True)
class Area:
    """Pixels of a picture; right and bottom are excluded."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def is_empty(self) -> bool:
        return self.left >= self.right or self.top >= self.bottom

    def within(self, other: Area) -> Area:
        return Area(
            max(self.left, other.left),
            max(self.top, other.top),
            min(self.right, other.right),
            min(self.bottom, other.bottom),
        )


def picture_of(camera: Camera) -> Area:
    return Area(0, 0, camera.width, camera.height)


def depths_of(camera: Camera, points: Float64) -> Float64:
    """(N, 3) in the head's frame -> (N,) decimetres along the camera's axis."""
    return np.asarray(points @ camera.viewmat[2, :3] + camera.viewmat[2, 3], np.float64)


def area_around(camera: Camera, points: Float64) -> Area:
    """The part of the picture that the convex hull of `points` (N, 3), in the head's frame, is in;
    all of it where one of them is not before the camera."""
    seen = points @ camera.viewmat[:3, :3].T + camera.viewmat[:3, 3]
    whole = picture_of(camera)
    if (seen[:, 2] <= 0).any():
        return whole
    x = camera.fx * seen[:, 0] / seen[:, 2] + camera.cx
    y = camera.fy * seen[:, 1] / seen[:, 2] + camera.cy
    low, high = (np.floor([x.min(), y.min()]), np.ceil([x.max(), y.max()]))
    limit = 2.0**31
    low, high = np.clip(low, -limit, limit), np.clip(high, -limit, limit)
    return Area(int(low[0]), int(low[1]), int(high[0]), int(high[1])).within(whole)


def corner_rays(camera: Camera, area: Area) -> Float64:
    """(h + 1, w + 1, 3) directions in the head's frame through the corners of the area's pixels,
    from the camera's centre, each one decimetre along its axis."""
    x = (np.arange(area.left, area.right + 1) - camera.cx) / camera.fx
    y = (np.arange(area.top, area.bottom + 1) - camera.cy) / camera.fy
    directions = np.stack([*np.meshgrid(x, y), np.ones((len(y), len(x)))], axis=-1)
    return np.asarray(directions @ camera.viewmat[:3, :3], np.float64)
