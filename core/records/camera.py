"""Pinhole cameras in the head's frame, and the head pose as 12 numbers for the network.

OpenCV axes: x right, y down, z forward. The head's frame: x right, y up, z to the viewer,
decimetres. Only egstalker_blender/camera.py converts Blender's axes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..errors import CameraError
from .arrays import Float32, Float64

MAX_SIDE = 16384  # pixels; Blender's own limit for a texture


@dataclass(frozen=True, eq=False)
class Camera:
    """viewmat (4, 4) float64: head's frame to camera, rigid (no scale). focal lengths and
    principal point in pixels, the centre of the first pixel at (0.5, 0.5). Size in pixels. unit:
    length of a decimetre of the head's frame in units of the scene, in which depth is written; the
    default is for a life-size head in metres."""

    viewmat: Float64
    fx: float
    fy: float
    cx: float
    cy: float
    width: int
    height: int
    unit: float = 0.1

    def __post_init__(self) -> None:
        if self.viewmat.shape != (4, 4) or not np.isfinite(self.viewmat).all():
            raise CameraError("the camera's matrix is not a finite 4 x 4 matrix")
        if not (1 <= self.width <= MAX_SIDE and 1 <= self.height <= MAX_SIDE):
            raise CameraError(
                f"image size {self.width}x{self.height} is outside 1..{MAX_SIDE} pixels a side"
            )
        numbers = (self.fx, self.fy, self.cx, self.cy)
        if not (0 < self.unit < np.inf):
            raise CameraError(f"the scene's unit {self.unit:g} must be positive and finite")
        if not (self.fx > 0 and self.fy > 0 and np.isfinite(numbers).all()):
            raise CameraError(f"focal length {self.fx:g} x {self.fy:g} must be positive and finite")

    @property
    def K(self) -> Float64:  # noqa: N802  the usual name
        """(3, 3) intrinsic matrix."""
        return np.array([[self.fx, 0, self.cx], [0, self.fy, self.cy], [0, 0, 1]], np.float64)

    @property
    def centre(self) -> Float64:
        """(3,) the camera's position in the head's frame."""
        return -self.viewmat[:3, :3].T @ self.viewmat[:3, 3]

    def resized(self, width: int, height: int) -> Camera:
        """The same view at another size: the height fits, the sides are cropped or widened."""
        scale = height / self.height
        return Camera(
            self.viewmat,
            self.fx * scale,
            self.fy * scale,
            (self.cx - self.width / 2) * scale + width / 2,
            self.cy * scale,
            width,
            height,
            self.unit,
        )


def pose_vector(viewmat: ArrayLike) -> Float32:
    """(12,) float32 network input: row-major transposed rotation, then translation
    (docs/method.md §3.5)."""
    matrix = np.asarray(viewmat, np.float64)
    return np.concatenate([matrix[:3, :3].T.ravel(), matrix[:3, 3]]).astype(np.float32)


def viewmat_of_pose(pose: ArrayLike) -> Float64:
    """(4, 4): the inverse of `pose_vector`."""
    values = np.asarray(pose, np.float64)
    viewmat = np.eye(4)
    viewmat[:3, :3] = values[:9].reshape(3, 3).T
    viewmat[:3, 3] = values[9:]
    return viewmat


def viewmat_from_track(euler: ArrayLike, translation: ArrayLike) -> Float64:
    """(4, 4) from the tracker's angles (radians) and translation: diag(1,-1,-1) [Rx Ry Rz(-c) | t]
    (docs/method.md §3.10)."""
    a, b, c = (float(v) for v in np.asarray(euler, np.float64))
    c = -c
    rx = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    ry = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    rz = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    viewmat = np.eye(4)
    viewmat[:3, :3] = rx @ ry @ rz
    viewmat[:3, 3] = np.asarray(translation, np.float64)
    return np.diag([1.0, -1.0, -1.0, 1.0]) @ viewmat
