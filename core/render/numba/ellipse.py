"""The ellipse of one Gaussian in the picture, once for projecting (project.py) and for its
derivative (project_back.py): the arithmetic of projection.py in numba, float64."""

from __future__ import annotations

import math

from ...records.arrays import Float32, Float64
from ...system.numba_setup import compiled, inlined
from ..rasteriser import DILATION

Four = tuple[float, float, float, float]


@inlined
def in_camera(view: Float64, mean: Float32) -> tuple[float, float, float]:
    """The mean (3,) in the frame of the camera. view (4, 4)."""
    x, y, z = float(mean[0]), float(mean[1]), float(mean[2])
    return (
        view[0, 0] * x + view[0, 1] * y + view[0, 2] * z + view[0, 3],
        view[1, 0] * x + view[1, 1] * y + view[1, 2] * z + view[1, 3],
        view[2, 0] * x + view[2, 1] * y + view[2, 2] * z + view[2, 3],
    )


@inlined
def direction(mean: Float32, centre: Float64) -> tuple[float, float, float, float]:
    """Unit vector from the camera's centre (3,) to the mean, and their distance."""
    dx, dy, dz = float(mean[0]) - centre[0], float(mean[1]) - centre[1], float(mean[2]) - centre[2]
    length = math.sqrt(dx * dx + dy * dy + dz * dz)
    return dx / length, dy / length, dz / length, length


@inlined
def jacobian(tx: float, ty: float, tz: float, lens: Four, limits: Four) -> Four:
    """Entries 00, 02, 11, 12 of the projection's Jacobian at a point in the camera, its slopes
    within `limits` (projection.clamp_limits). lens: fx, fy, cx, cy. The other entries are 0."""
    fx, fy = lens[0], lens[1]
    slope_x = min(max(tx / tz, limits[0]), limits[1])
    slope_y = min(max(ty / tz, limits[2]), limits[3])
    return fx / tz, -fx * slope_x / tz, fy / tz, -fy * slope_y / tz


@inlined
def variances(
    rotation: Float64,
    axes: Float64,
    u: Float64,
    v: Float64,
    view: Float64,
    quat: Float32,
    scale: Float32,
    slopes: Four,
) -> tuple[float, float, float]:
    """xx, xy, yy of the dilated covariance in the picture, square pixels. slopes: of `jacobian`.
    Fills rotation (3, 3); axes (3, 3), the Gaussian's scaled axes in the camera, one a column; and
    u, v (3,), these axes in the picture."""
    j00, j02, j11, j12 = slopes
    rotate(rotation, quat)
    a = b = c = 0.0
    for k in range(3):
        length = float(scale[k])
        for m in range(3):
            axes[m, k] = length * (
                view[m, 0] * rotation[0, k]
                + view[m, 1] * rotation[1, k]
                + view[m, 2] * rotation[2, k]
            )
        u[k] = j00 * axes[0, k] + j02 * axes[2, k]
        v[k] = j11 * axes[1, k] + j12 * axes[2, k]
        a += u[k] * u[k]
        b += u[k] * v[k]
        c += v[k] * v[k]
    return a + DILATION, b, c + DILATION


@inlined
def rotate(out: Float64, quat: Float32) -> None:
    """projection.rotations of one quaternion."""
    w, x, y, z = float(quat[0]), float(quat[1]), float(quat[2]), float(quat[3])
    out[0, 0], out[0, 1], out[0, 2] = (
        1 - 2 * (y * y + z * z),
        2 * (x * y - w * z),
        2 * (x * z + w * y),
    )
    out[1, 0], out[1, 1], out[1, 2] = (
        2 * (x * y + w * z),
        1 - 2 * (x * x + z * z),
        2 * (y * z - w * x),
    )
    out[2, 0], out[2, 1], out[2, 2] = (
        2 * (x * z - w * y),
        2 * (y * z + w * x),
        1 - 2 * (x * x + y * y),
    )


@compiled
def rotate_back(out: Float32, s: Float64, quat: Float32) -> None:
    """s: the slopes (3, 3) of the rotation's entries -> those of the quaternion."""
    w, x, y, z = float(quat[0]), float(quat[1]), float(quat[2]), float(quat[3])
    out[0] = 2 * (x * (s[2, 1] - s[1, 2]) + y * (s[0, 2] - s[2, 0]) + z * (s[1, 0] - s[0, 1]))
    out[1] = 2 * (
        w * (s[2, 1] - s[1, 2])
        - 2 * x * (s[1, 1] + s[2, 2])
        + y * (s[0, 1] + s[1, 0])
        + z * (s[0, 2] + s[2, 0])
    )
    out[2] = 2 * (
        w * (s[0, 2] - s[2, 0])
        + x * (s[0, 1] + s[1, 0])
        - 2 * y * (s[0, 0] + s[2, 2])
        + z * (s[1, 2] + s[2, 1])
    )
    out[3] = 2 * (
        w * (s[1, 0] - s[0, 1])
        + x * (s[0, 2] + s[2, 0])
        + y * (s[1, 2] + s[2, 1])
        - 2 * z * (s[0, 0] + s[1, 1])
    )
