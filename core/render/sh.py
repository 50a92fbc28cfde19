"""Colours that change with the direction of view: real spherical harmonics, degrees 0 to 3."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..records.arrays import Float64
from ..records.gaussians import C0

C1 = 0.4886025119029199
C2 = (1.0925484305920792, 0.31539156525252005, 0.5462742152960396)
C3 = (0.5900435899266435, 2.890611442640554, 0.4570457994644658, 0.3731763325901154)


def terms(x: Any, y: Any, z: Any, degree: int) -> list[Any]:
    """The (degree + 1)^2 values of the basis at unit vectors from the camera to the Gaussians, with
    the signs every 3DGS file is trained with (docs/method.md §3.11). x, y, z: arrays or tensors of
    one shape, which the terms have, too."""
    values = [C0 + 0 * x]
    if degree >= 1:
        values += [-C1 * y, C1 * z, -C1 * x]
    if degree >= 2:
        xx, yy, zz = x * x, y * y, z * z
        values += [
            C2[0] * x * y,
            -C2[0] * y * z,
            C2[1] * (2 * zz - xx - yy),
            -C2[0] * x * z,
            C2[2] * (xx - yy),
        ]
    if degree >= 3:
        values += [
            -C3[0] * y * (3 * xx - yy),
            C3[1] * x * y * z,
            -C3[2] * y * (4 * zz - xx - yy),
            C3[3] * z * (2 * zz - 3 * xx - 3 * yy),
            -C3[2] * x * (4 * zz - xx - yy),
            C3[1] / 2 * z * (xx - yy),
            -C3[0] * x * (xx - 3 * yy),
        ]
    return values


def colours(means: Float64, sh: NDArray[np.floating], centre: Float64, degree: int) -> Float64:
    """means (N, 3) and the camera's centre (3,) in the head's frame, sh (N, 16, 3) -> (N, 3)
    sRGB-encoded, at least 0, not limited above (§3.9). No mean may be at the centre."""
    directions = means - centre
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    rgb = np.full((len(means), 3), 0.5)
    x, y, z = directions.T
    for k, values in enumerate(terms(x, y, z, degree)):
        rgb += values[:, None] * sh[:, k]
    return np.maximum(rgb, 0.0, out=rgb)
