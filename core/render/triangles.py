"""The nearest triangle at each corner of a picture's pixels, for meshes that hide a head.

A ray through each corner (`rays.corner_rays`) finds the same, one by one; here all corners inside a
triangle are computed at once.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..records.arrays import Float32, Float64
from ..records.camera import Camera
from .rasteriser import EMPTY
from .rays import Area

Whole = NDArray[np.int64]
NEAR = 1e-4  # decimetres before the camera, at which triangles that reach behind it are cut
BATCH = 1 << 16  # triangles, and corners of pixels in their boxes, at a time
# A ray takes as long as MOST corners of pixels in boxes, a triangle without any as long as EACH.
MOST, EACH = 50, 15


def rays_are_quicker(count: int, area: Area) -> bool:
    """Whether a ray for each corner of the area's pixels takes less time than that many triangles,
    however small."""
    return count * EACH > MOST * _size(area)[0] * _size(area)[1]


def nearest_triangles(
    camera: Camera, points: Float64, corners: NDArray[np.int32], area: Area
) -> Float32 | None:
    """(V, 3) points in the head's frame, (T, 3) which of them are the corners of a triangle ->
    (h + 1, w + 1) distances along the camera's axis in units of the scene, EMPTY where none is.
    Both sides of a triangle count, and its edges. None where rays take less time, also because
    many triangles are long and thin, with boxes that hold little of them."""
    if rays_are_quicker(len(corners), area):
        return None
    out = np.full(_size(area), np.inf)
    seen = points @ camera.viewmat[:3, :3].T + camera.viewmat[:3, 3]
    left_over = MOST * out.size - EACH * len(corners)
    for start in range(0, len(corners), BATCH):
        boxes = _Boxes(camera, _cut(seen[corners[start : start + BATCH]]), area)
        left_over -= boxes.count
        if left_over < 0:
            return None
        boxes.draw(out)
    return np.where(np.isfinite(out), out * camera.unit, EMPTY).astype(np.float32)


class _Boxes:
    """Triangles (T, 3, 3) in the camera's frame and the corners of pixels in their boxes."""

    def __init__(self, camera: Camera, seen: Float64, area: Area) -> None:
        z = seen[..., 2]
        x = camera.fx * seen[..., 0] / z + (camera.cx - area.left)
        y = camera.fy * seen[..., 1] / z + (camera.cy - area.top)
        rows, columns = _size(area)
        (left, right), (top, bottom) = _span(x, columns), _span(y, rows)
        edges = x[:, 1] - x[:, 0], y[:, 1] - y[:, 0], x[:, 2] - x[:, 0], y[:, 2] - y[:, 0]
        twice = _cross(*edges)
        kept = (right > left) & (bottom > top) & (twice != 0)
        self.x, self.y, self.z, self.twice = x[kept], y[kept], z[kept], twice[kept]
        self.left, self.top = left[kept], top[kept]
        self.width, self.height = (right - left)[kept], (bottom - top)[kept]
        self.count = int((self.width * self.height).sum())

    def draw(self, out: Float64) -> None:
        """Lower `out` (h + 1, w + 1) to the distances of the triangles, in decimetres."""
        for which, column, row in self._corners():
            x, y = self.x[which] - column[:, None], self.y[which] - row[:, None]
            # The corner of a pixel makes a triangle with each edge; an edge that two triangles
            # share gives exactly opposite areas, so no corner is outside of both.
            shares = [_cross(x[:, i - 2], y[:, i - 2], x[:, i - 1], y[:, i - 1]) for i in range(3)]
            share = np.stack(shares, axis=1) / self.twice[which, None]
            inside = (share >= 0).all(axis=1)
            nearness = (share[inside] / self.z[which[inside]]).sum(axis=1)
            np.minimum.at(out, (row[inside], column[inside]), 1 / nearness)

    def _corners(self) -> Iterator[tuple[Whole, Whole, Whole]]:
        """Number of the triangle, column and row of each corner of a pixel, BATCH at a time."""
        ends = np.cumsum(self.width * self.height)
        for start in range(0, self.count, BATCH):
            index = np.arange(start, min(start + BATCH, self.count))
            which = np.searchsorted(ends, index, side="right")
            width = self.width[which]
            inside = index - (ends[which] - width * self.height[which])
            yield which, self.left[which] + inside % width, self.top[which] + inside // width


def _size(area: Area) -> tuple[int, int]:
    """Rows and columns of corners of pixels."""
    return area.bottom - area.top + 1, area.right - area.left + 1


def _cut(seen: Float64) -> Float64:
    """(T, 3, 3) in the camera's frame -> what lies before NEAR of them, as triangles."""
    before = seen[..., 2] > NEAR
    count = before.sum(axis=1)
    whole = seen[count == 3]
    if len(whole) == len(seen):
        return whole
    one, two = (_first_alone(seen[count == n], before[count == n], n == 1) for n in (1, 2))
    a, b, c = one.swapaxes(0, 1)
    tips = np.stack([a, _at_near(a, b), _at_near(a, c)], axis=1)
    a, b, c = two.swapaxes(0, 1)  # a is behind
    ab, ac = _at_near(b, a), _at_near(c, a)
    return np.concatenate([whole, tips, np.stack([b, c, ab], 1), np.stack([c, ac, ab], 1)])


def _first_alone(seen: Float64, before: NDArray[np.bool_], value: bool) -> Float64:
    """The same triangles, each turned so that its first corner is the only one of that value."""
    first = (before == value).argmax(axis=1)
    order = (first[:, None] + np.arange(3)) % 3
    return np.take_along_axis(seen, order[..., None], axis=1)


def _at_near(before: Float64, behind: Float64) -> Float64:
    """(T, 3) where the edges between these corners cross NEAR."""
    share = (before[:, 2] - NEAR) / (before[:, 2] - behind[:, 2])
    crossing = before + share[:, None] * (behind - before)
    crossing[:, 2] = NEAR
    return np.asarray(crossing, np.float64)


def _cross(ax: Float64, ay: Float64, bx: Float64, by: Float64) -> Float64:
    return np.asarray(ax * by - ay * bx, np.float64)


def _span(places: Float64, count: int) -> tuple[Whole, Whole]:
    """(T, 3) places of corners of triangles -> the first whole number in each triangle and the one
    after the last, of 0 to count."""
    low = np.clip(np.ceil(places.min(axis=1)), 0, count)
    high = np.clip(np.floor(places.max(axis=1)) + 1, 0, count)
    return low.astype(np.int64), high.astype(np.int64)
