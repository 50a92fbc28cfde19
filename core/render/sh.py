"""Colours that change with the direction of view: real spherical harmonics, degrees 0 to 3."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]

C0 = 0.28209479177387814
C1 = 0.4886025119029199
C2 = (1.0925484305920792, 0.31539156525252005, 0.5462742152960396)
C3 = (0.5900435899266435, 2.890611442640554, 0.4570457994644658, 0.3731763325901154)


def basis(directions: Float64, degree: int) -> Float64:
    """(N, 3) unit vectors from the camera to the Gaussians -> (N, (degree + 1)^2) values of the
    basis, with the signs every 3DGS file is trained with (reference note §3.11)."""
    x, y, z = directions.T
    columns = [np.full_like(x, C0)]
    if degree >= 1:
        columns += [-C1 * y, C1 * z, -C1 * x]
    if degree >= 2:
        xx, yy, zz = x * x, y * y, z * z
        columns += [
            C2[0] * x * y,
            -C2[0] * y * z,
            C2[1] * (2 * zz - xx - yy),
            -C2[0] * x * z,
            C2[2] * (xx - yy),
        ]
    if degree >= 3:
        columns += [
            -C3[0] * y * (3 * xx - yy),
            C3[1] * x * y * z,
            -C3[2] * y * (4 * zz - xx - yy),
            C3[3] * z * (2 * zz - 3 * xx - 3 * yy),
            -C3[2] * x * (4 * zz - xx - yy),
            C3[1] / 2 * z * (xx - yy),
            -C3[0] * x * (xx - 3 * yy),
        ]
    return np.stack(columns, axis=1)


def colours(means: Float64, sh: NDArray[np.floating], centre: Float64, degree: int) -> Float64:
    """means (N, 3) and the camera's centre (3,) in the head's frame, sh (N, 16, 3) -> (N, 3)
    sRGB-encoded, at least 0, not limited above (§3.9). No mean may lie in the centre."""
    directions = means - centre
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    values = basis(directions, degree)
    count = values.shape[1]
    rgb = np.matmul(values[:, None, :], sh[:, :count].astype(np.float64))[:, 0]
    return np.maximum(rgb + 0.5, 0.0)
