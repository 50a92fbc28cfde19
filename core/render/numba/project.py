"""Projection in numba: the arithmetic of projection.py, one Gaussian at a time, float64."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ...records.gaussians import C0
from ...system.numba_setup import compiled
from ..projection import DEPTH_GUARD, MIN_SPREAD
from ..rasteriser import DILATION, MIN_ALPHA, NEAR, TILE
from ..sh import C1, C2, C3

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

DROPPED = np.uint32(0xFFFFFFFF)  # sorts behind every depth
LOG2_E = math.log2(math.e)
SLACK = 1e-4  # in the exponent, so that rounding cuts no visible pixel

C20, C21, C22 = C2
C30, C31, C32, C33 = C3

# Columns of the table that the blending reads. The exponent (base 2) at a pixel is
# log2(opacity) - u^2 - v^2 with u = UX dx + UY dy and v = VY dy.
UX, UY, VY, LOG_OPACITY, RED, GREEN, BLUE, REACH_X, REACH_Y, COLUMNS = range(10)


@compiled
def project_range(
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
    lens: tuple[float, float, float, float],
    limits: tuple[float, float, float, float],
    grid: tuple[int, int],
    centres: Float64,
    table: Float32,
    depths: NDArray[np.uint32],
    rects: NDArray[np.int32],
    radii: Float32,
) -> None:
    """Gaussians start..end of (N, ...) arrays. view (4, 4); centre (3,); lens fx, fy, cx, cy;
    limits as projection.clamp_limits; grid columns, rows. Fills centres (N, 2) pixels, table
    (N, COLUMNS), depths (N,) uint32: the bits of float32 depths, DROPPED for what is not drawn,
    rects (N, 4) tiles, and radii (N,) pixels, 0 for what is not drawn."""
    fx, fy, cx, cy = lens
    basis = np.zeros(16)
    count = (degree + 1) * (degree + 1)
    for i in range(start, end):
        depths[i] = DROPPED
        radii[i] = 0
        x, y, z = float(means[i, 0]), float(means[i, 1]), float(means[i, 2])
        tx = view[0, 0] * x + view[0, 1] * y + view[0, 2] * z + view[0, 3]
        ty = view[1, 0] * x + view[1, 1] * y + view[1, 2] * z + view[1, 3]
        tz = view[2, 0] * x + view[2, 1] * y + view[2, 2] * z + view[2, 3]
        opacity = float(opacities[i])
        # Written so that what is not a number fails, too.
        if not (tz > NEAR and opacity >= MIN_ALPHA):
            continue

        slope_x = min(max(tx / tz, limits[0]), limits[1])
        slope_y = min(max(ty / tz, limits[2]), limits[3])
        j00, j02, j11, j12 = fx / tz, -fx * slope_x / tz, fy / tz, -fy * slope_y / tz
        qw, qx, qy, qz = quats[i]
        qw, qx, qy, qz = float(qw), float(qx), float(qy), float(qz)
        a = b = c = 0.0
        for axis in range(3):
            if axis == 0:
                rx = 1 - 2 * (qy * qy + qz * qz)
                ry = 2 * (qx * qy + qw * qz)
                rz = 2 * (qx * qz - qw * qy)
            elif axis == 1:
                rx = 2 * (qx * qy - qw * qz)
                ry = 1 - 2 * (qx * qx + qz * qz)
                rz = 2 * (qy * qz + qw * qx)
            else:
                rx = 2 * (qx * qz + qw * qy)
                ry = 2 * (qy * qz - qw * qx)
                rz = 1 - 2 * (qx * qx + qy * qy)
            scale = float(scales[i, axis])
            ax = scale * (view[0, 0] * rx + view[0, 1] * ry + view[0, 2] * rz)
            ay = scale * (view[1, 0] * rx + view[1, 1] * ry + view[1, 2] * rz)
            az = scale * (view[2, 0] * rx + view[2, 1] * ry + view[2, 2] * rz)
            u = j00 * ax + j02 * az
            v = j11 * ay + j12 * az
            a += u * u
            b += u * v
            c += v * v
        a += DILATION
        c += DILATION
        determinant = a * c - b * b
        middle = (a + c) / 2
        radius = math.ceil(
            3 * math.sqrt(middle + math.sqrt(max(MIN_SPREAD, middle * middle - determinant)))
        )
        px = fx * tx / (tz + DEPTH_GUARD) + cx
        py = fy * ty / (tz + DEPTH_GUARD) + cy
        if not (
            determinant > 0 and radius < math.inf and abs(px) < math.inf and abs(py) < math.inf
        ):
            continue

        columns, rows = grid
        x0 = min(max(math.floor((px - 0.5 - radius) / TILE), 0.0), columns)
        x1 = min(max(math.floor((px - 0.5 + radius + TILE - 1) / TILE), 0.0), columns)
        y0 = min(max(math.floor((py - 0.5 - radius) / TILE), 0.0), rows)
        y1 = min(max(math.floor((py - 0.5 + radius + TILE - 1) / TILE), 0.0), rows)
        if x0 >= x1 or y0 >= y1:
            continue
        rects[i, 0], rects[i, 1], rects[i, 2], rects[i, 3] = int(x0), int(y0), int(x1), int(y1)
        centres[i, 0], centres[i, 1] = px, py

        # The conic is [[c, -b], [-b, a]] / determinant; u and v are its Cholesky factors.
        half = 0.5 * LOG2_E
        ux = math.sqrt(half * c / determinant)
        level = math.log(opacity / MIN_ALPHA) * 2 + SLACK
        table[i, UX] = ux
        table[i, UY] = -half * b / determinant / ux
        table[i, VY] = math.sqrt(half / c)
        table[i, LOG_OPACITY] = math.log2(opacity)
        table[i, REACH_X] = math.sqrt(level * a)
        table[i, REACH_Y] = math.sqrt(level * c)

        dx, dy, dz = x - centre[0], y - centre[1], z - centre[2]
        length = math.sqrt(dx * dx + dy * dy + dz * dz)
        sh_basis(basis, dx / length, dy / length, dz / length)
        red = green = blue = 0.5
        for k in range(count):
            red += basis[k] * sh[i, k, 0]
            green += basis[k] * sh[i, k, 1]
            blue += basis[k] * sh[i, k, 2]
        table[i, RED] = max(red, 0.0)
        table[i, GREEN] = max(green, 0.0)
        table[i, BLUE] = max(blue, 0.0)
        radii[i] = radius
        depths[i] = np.float32(tz).view(np.uint32)


@compiled
def sh_basis(out: Float64, x: float, y: float, z: float) -> None:
    """All 16 values of sh.terms at one direction into out (16,)."""
    xx, yy, zz = x * x, y * y, z * z
    out[0] = C0
    out[1], out[2], out[3] = -C1 * y, C1 * z, -C1 * x
    out[4], out[5], out[6] = C20 * x * y, -C20 * y * z, C21 * (2 * zz - xx - yy)
    out[7], out[8] = -C20 * x * z, C22 * (xx - yy)
    out[9] = -C30 * y * (3 * xx - yy)
    out[10] = C31 * x * y * z
    out[11] = -C32 * y * (4 * zz - xx - yy)
    out[12] = C33 * z * (2 * zz - 3 * xx - 3 * yy)
    out[13] = -C32 * x * (4 * zz - xx - yy)
    out[14] = C31 / 2 * z * (xx - yy)
    out[15] = -C30 * x * (xx - 3 * yy)
