"""Projection in numba: the arithmetic of projection.py, one Gaussian at a time, float64."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ...records.arrays import Float32, Float64
from ...system.numba_setup import compiled
from ..projection import DEPTH_GUARD, MIN_SPREAD
from ..rasteriser import MIN_ALPHA, NEAR, TILE
from .ellipse import Four, direction, in_camera, jacobian, variances
from .harmonics import sh_basis

DROPPED = np.uint32(0xFFFFFFFF)  # sorts behind every depth
LOG2_E = math.log2(math.e)
SLACK = 1e-4  # in the exponent, so that rounding cuts no visible pixel

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
    lens: Four,
    limits: Four,
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
    rotation, axes, u, v = np.empty((3, 3)), np.empty((3, 3)), np.empty(3), np.empty(3)
    count = (degree + 1) * (degree + 1)
    for i in range(start, end):
        depths[i] = DROPPED
        radii[i] = 0
        tx, ty, tz = in_camera(view, means[i])
        opacity = float(opacities[i])
        # Written so that NaN fails, too.
        if not (tz > NEAR and opacity >= MIN_ALPHA):
            continue

        slopes = jacobian(tx, ty, tz, lens, limits)
        a, b, c = variances(rotation, axes, u, v, view, quats[i], scales[i], slopes)
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

        dx, dy, dz, _ = direction(means[i], centre)
        sh_basis(basis, dx, dy, dz)
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
