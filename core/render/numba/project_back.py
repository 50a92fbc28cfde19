"""The derivative of render/numba/project.py, one Gaussian at a time, float64: from the sums over
its pixels to its mean, quaternion, scale, opacity and coefficients."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...records.arrays import Float32, Float64
from ...system.numba_setup import compiled
from ..projection import DEPTH_GUARD
from .ellipse import Four, direction, in_camera, jacobian, rotate_back, variances
from .harmonics import sh_basis, sh_direction_slope
from .project import BLUE, GREEN, RED


@compiled
def project_range_back(
    start: int,
    end: int,
    means: Float32,
    quats: Float32,
    scales: Float32,
    opacities: Float32,
    sh: Float32,
    degree: int,
    view: Float64,
    centre: Float64,
    lens: Four,
    limits: Four,
    table: Float32,
    radii: Float32,
    places: NDArray[np.int64],
    partial: Float32,
    mean_slopes: Float32,
    quat_slopes: Float32,
    scale_slopes: Float32,
    opacity_slopes: Float32,
    sh_slopes: Float32,
    centre_slopes: Float32,
) -> None:
    """Gaussians start..end of (N, ...) arrays; means .. limits as project_range took them, table
    and radii as it filled them. partial (M, SUMS): the sums of Gaussian i over each row of tiles
    are at places[i] .. places[i + 1]. Fills the slopes, all of the shapes of their inputs, and
    centre_slopes (N, 2) per pixel; 0 where nothing is drawn."""
    fx, fy = lens[0], lens[1]
    rotation, r_slope = np.empty((3, 3)), np.empty((3, 3))
    u, v, axes = np.empty(3), np.empty(3), np.empty((3, 3))
    basis, toward = np.empty(16), np.empty(3)
    sums, rgb = np.empty(partial.shape[1]), np.empty(3)
    count = (degree + 1) * (degree + 1)
    for i in range(start, end):
        for k in range(sh.shape[1]):
            for channel in range(3):
                sh_slopes[i, k, channel] = 0
        for k in range(3):
            mean_slopes[i, k] = scale_slopes[i, k] = quat_slopes[i, k] = 0
        quat_slopes[i, 3] = opacity_slopes[i] = centre_slopes[i, 0] = centre_slopes[i, 1] = 0
        if not radii[i] > 0:
            continue
        sums[:] = 0
        for at in range(places[i], places[i + 1]):
            for k in range(len(sums)):
                sums[k] += partial[at, k]

        # Forwards once more, up to the ellipse.
        tx, ty, tz = in_camera(view, means[i])
        j00, j02, j11, j12 = slopes = jacobian(tx, ty, tz, lens, limits)
        a, b, c = variances(rotation, axes, u, v, view, quats[i], scales[i], slopes)
        determinant = a * c - b * b
        xx, xy, yy = c / determinant, -b / determinant, a / determinant  # the conic

        # ln alpha = ln opacity - (xx dx^2 + 2 xy dx dy + yy dy^2) / 2
        opacity_slopes[i] = sums[0] / opacities[i]
        px_slope = -(xx * sums[1] + xy * sums[2])
        py_slope = -(xy * sums[1] + yy * sums[2])
        centre_slopes[i, 0], centre_slopes[i, 1] = px_slope, py_slope
        # The derivative of an inverse: conic M, half of M [[dx^2, dx dy], [dx dy, dy^2]] M.
        left0, left1 = xx * sums[3] + xy * sums[4], xx * sums[4] + xy * sums[5]
        right0, right1 = xy * sums[3] + yy * sums[4], xy * sums[4] + yy * sums[5]
        a_slope = 0.5 * (left0 * xx + left1 * xy)
        b_slope = left0 * xy + left1 * yy
        c_slope = 0.5 * (right0 * xy + right1 * yy)

        j00_slope = j02_slope = j11_slope = j12_slope = 0.0
        for k in range(3):
            u_slope = 2 * a_slope * u[k] + b_slope * v[k]
            v_slope = b_slope * u[k] + 2 * c_slope * v[k]
            j00_slope += u_slope * axes[0, k]
            j02_slope += u_slope * axes[2, k]
            j11_slope += v_slope * axes[1, k]
            j12_slope += v_slope * axes[2, k]
            in_x, in_y, in_z = j00 * u_slope, j11 * v_slope, j02 * u_slope + j12 * v_slope
            total = 0.0
            for m in range(3):
                of_axis = view[0, m] * in_x + view[1, m] * in_y + view[2, m] * in_z
                total += of_axis * rotation[m, k]
                r_slope[m, k] = of_axis * scales[i, k]
            scale_slopes[i, k] = total
        rotate_back(quat_slopes[i], r_slope, quats[i])

        depth = tz + DEPTH_GUARD
        tx_slope, ty_slope = px_slope * fx / depth, py_slope * fy / depth
        tz_slope = -(px_slope * fx * tx + py_slope * fy * ty) / (depth * depth)
        tz_slope -= (j00_slope * j00 + j02_slope * j02 + j11_slope * j11 + j12_slope * j12) / tz
        if limits[0] <= tx / tz <= limits[1]:  # else the slope is a constant
            tx_slope -= j02_slope * fx / (tz * tz)
            tz_slope -= j02_slope * j02 / tz
        if limits[2] <= ty / tz <= limits[3]:
            ty_slope -= j12_slope * fy / (tz * tz)
            tz_slope -= j12_slope * j12 / tz

        # Colours: a channel that was clamped at 0 has no slope.
        rgb[0] = sums[6] if table[i, RED] > 0 else 0.0
        rgb[1] = sums[7] if table[i, GREEN] > 0 else 0.0
        rgb[2] = sums[8] if table[i, BLUE] > 0 else 0.0
        dx, dy, dz, length = direction(means[i], centre)
        sh_basis(basis, dx, dy, dz)
        for k in range(count):
            for channel in range(3):
                sh_slopes[i, k, channel] = basis[k] * rgb[channel]
            # The basis is no longer needed: its array takes its slope.
            basis[k] = rgb[0] * sh[i, k, 0] + rgb[1] * sh[i, k, 1] + rgb[2] * sh[i, k, 2]
        sh_direction_slope(toward, basis, dx, dy, dz, degree)
        along = toward[0] * dx + toward[1] * dy + toward[2] * dz
        toward[0] = (toward[0] - along * dx) / length
        toward[1] = (toward[1] - along * dy) / length
        toward[2] = (toward[2] - along * dz) / length
        for m in range(3):
            mean_slopes[i, m] = (
                view[0, m] * tx_slope + view[1, m] * ty_slope + view[2, m] * tz_slope + toward[m]
            )
