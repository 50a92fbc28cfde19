"""One view of the scene for shaders and sorting: lens in pixels, heads in the camera's frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...core.records.arrays import Float64
from ...core.render.rasteriser import JACOBIAN_CLAMP
from ..camera import HEAD_TO_OBJECT, OPENCV_TO_BLENDER

SMALLEST = 1e-18  # volume of a unit in cubic metres, its side a micrometre


@dataclass(frozen=True, eq=False)
class View:
    """Blender's matrices and the size of the region.

    viewmat (4, 4) world -> Blender's camera, projmat (4, 4) of OpenGL, float64; width and height in
    pixels. Any perspective or orthographic view, with shifts.
    """

    viewmat: Float64
    projmat: Float64
    width: int
    height: int

    @property
    def orthographic(self) -> bool:
        return bool(self.projmat[3, 3] == 1)

    @property
    def lens(self) -> tuple[float, float, float, float]:
        """fx, fy, cx, cy in pixels, y down (core/records/camera.py). In an orthographic view fx and
        fy are pixels per metre."""
        p = self.projmat
        # Shift of the centre, in halves of the region.
        x, y = (-p[0, 3], -p[1, 3]) if self.orthographic else (p[0, 2], p[1, 2])
        return (
            float(p[0, 0]) * self.width / 2,
            float(p[1, 1]) * self.height / 2,
            (1 - float(x)) * self.width / 2,
            (1 + float(y)) * self.height / 2,
        )

    @property
    def clamp(self) -> tuple[float, float, float, float]:
        """Left, right, top, bottom limits of x/z and y/z, as core.render.projection.clamp_limits
        (perspective only)."""
        fx, fy, cx, cy = self.lens
        margin_x = (JACOBIAN_CLAMP - 1) * 0.5 * self.width / fx
        margin_y = (JACOBIAN_CLAMP - 1) * 0.5 * self.height / fy
        return (
            -cx / fx - margin_x,
            (self.width - cx) / fx + margin_x,
            -cy / fy - margin_y,
            (self.height - cy) / fy + margin_y,
        )


@dataclass(frozen=True, eq=False)
class Placed:
    """The place of a head relative to the camera.

    matrix (3, 4): head's frame (decimetres) -> camera (x right, y down, z forward), in units of the
    head's frame, so that the near plane of core applies at any scale. scale: metres of the world in
    one unit. eye (3,): camera position in the head's frame; orthographic: direction of view.
    """

    matrix: Float64
    scale: float
    eye: Float64


def place(view: View, object_world: Float64) -> Placed | None:
    """object_world (4, 4). None for an object without volume, which cannot be drawn. An uneven
    scale is allowed."""
    full = OPENCV_TO_BLENDER @ view.viewmat @ object_world @ HEAD_TO_OBJECT
    if not np.isfinite(full).all():
        return None
    determinant = float(np.linalg.det(full[:3, :3]))
    if abs(determinant) < SMALLEST:
        return None
    scale = abs(determinant) ** (1 / 3)
    matrix = full[:3] / scale
    inverse = np.linalg.inv(matrix[:, :3])
    if view.orthographic:
        eye = inverse[:, 2] / np.linalg.norm(inverse[:, 2])
    else:
        eye = -inverse @ matrix[:, 3]
    return Placed(matrix, scale, eye)
