"""Gaussians in space -> ellipses on the picture, nearest first (docs/method.md §3.11).

In float64, so that every rasteriser that starts here draws in the same order and over the same
tiles; only the blending differs in precision.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..records.arrays import Float64
from ..records.camera import Camera
from ..records.gaussians import Splats
from .rasteriser import DILATION, JACOBIAN_CLAMP, MIN_ALPHA, NEAR, TILE
from .sh import colours

DEPTH_GUARD = 1e-7  # added to the depth that divides, as the official rasteriser does
MIN_SPREAD = 0.1  # floor under the root that separates the two axes of an ellipse


@dataclass(frozen=True, eq=False)
class Ellipses:
    """The M Gaussians that can touch the picture, in the order of drawing.

    centres (M, 2) pixels, the centre of the first pixel at (0.5, 0.5); conics (M, 3): a, b, c of
    the inverse covariance [[a, b], [b, c]] per square pixel; opacities (M,); colours (M, 3);
    depths (M,) decimetres, the z of the means in the camera; rects (M, 4) int64, tiles x0, y0, x1,
    y1 (ends excluded), never empty.
    """

    centres: Float64
    conics: Float64
    opacities: Float64
    colours: Float64
    depths: Float64
    rects: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.centres)


def grid(camera: Camera) -> tuple[int, int]:
    """Columns and rows of tiles."""
    return -(-camera.width // TILE), -(-camera.height // TILE)


def project(splats: Splats, camera: Camera, sh_degree: int) -> Ellipses:
    """Drops Gaussians that are at or before the near plane, miss the picture, can never reach the
    smallest alpha, or are not finite. Equal depths keep the order of the Gaussians."""
    rotation, translation = camera.viewmat[:3, :3], camera.viewmat[:3, 3]
    means = splats.means.astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):  # non-finite values fail the comparisons
        points = means @ rotation.T + translation
        keep = np.flatnonzero((points[:, 2] > NEAR) & (splats.opacities >= np.float32(MIN_ALPHA)))
        points = points[keep]
        variances = _variances(points, splats.quats[keep], splats.scales[keep], camera)
        a, b, c = variances.T
        determinant = a * c - b * b
        middle = (a + c) / 2
        longest = middle + np.sqrt(np.maximum(MIN_SPREAD, middle * middle - determinant))
        radius = np.ceil(3 * np.sqrt(longest))
        depth = points[:, 2] + DEPTH_GUARD
        centres = np.stack(
            [
                camera.fx * points[:, 0] / depth + camera.cx,
                camera.fy * points[:, 1] / depth + camera.cy,
            ],
            axis=1,
        )
        whole = (determinant > 0) & np.isfinite(radius) & np.isfinite(centres).all(axis=1)
    rects = _tile_rects(centres, radius, whole, camera)
    seen = whole & (rects[:, 0] < rects[:, 2]) & (rects[:, 1] < rects[:, 3])
    # Depths are ordered as float32, which is what the official sort compares.
    chosen = np.flatnonzero(seen)
    chosen = chosen[np.argsort(points[chosen, 2].astype(np.float32), kind="stable")]
    conics = np.stack([c, -b, a], axis=1)[chosen] / determinant[chosen, None]
    source = keep[chosen]
    return Ellipses(
        centres=centres[chosen],
        conics=conics,
        opacities=splats.opacities[source].astype(np.float64),
        colours=colours(means[source], splats.sh[source], camera.centre, sh_degree),
        depths=points[chosen, 2],
        rects=rects[chosen],
    )


def rotations(quats: NDArray[np.floating]) -> Float64:
    """(N, 4) unit quaternions w, x, y, z -> (N, 3, 3)."""
    rows = rotation_rows(*quats.astype(np.float64).T)
    return np.stack([np.stack(row, axis=1) for row in rows], axis=1)


def rotation_rows(w: Any, x: Any, y: Any, z: Any) -> list[list[Any]]:
    """The three rows of the rotation of unit quaternions: arrays or tensors of one shape."""
    return [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]


def clamp_limits(camera: Camera) -> tuple[float, float, float, float]:
    """Left, right, top, bottom limits of x/z and y/z for the Jacobian: the picture's edges plus
    0.3 tan(fov / 2). With a centred principal point that is the official +-1.3 tan(fov / 2)."""
    margin_x = (JACOBIAN_CLAMP - 1) * 0.5 * camera.width / camera.fx
    margin_y = (JACOBIAN_CLAMP - 1) * 0.5 * camera.height / camera.fy
    return (
        -camera.cx / camera.fx - margin_x,
        (camera.width - camera.cx) / camera.fx + margin_x,
        -camera.cy / camera.fy - margin_y,
        (camera.height - camera.cy) / camera.fy + margin_y,
    )


def _variances(
    points: Float64, quats: NDArray[np.float32], scales: NDArray[np.float32], camera: Camera
) -> Float64:
    """(N, 3) xx, xy, yy of the dilated 2-D covariance, square pixels. points in the camera."""
    left, right, top, bottom = clamp_limits(camera)
    z = points[:, 2]
    slope_x = np.clip(points[:, 0] / z, left, right)
    slope_y = np.clip(points[:, 1] / z, top, bottom)
    jacobian = np.zeros((len(points), 2, 3))
    jacobian[:, 0, 0] = camera.fx / z
    jacobian[:, 0, 2] = -camera.fx * slope_x / z
    jacobian[:, 1, 1] = camera.fy / z
    jacobian[:, 1, 2] = -camera.fy * slope_y / z
    axes = rotations(quats) * scales.astype(np.float64)[:, None, :]
    u, v = np.moveaxis(jacobian @ camera.viewmat[:3, :3] @ axes, 1, 0)  # (N, 3) each
    return np.stack([(u * u).sum(1) + DILATION, (u * v).sum(1), (v * v).sum(1) + DILATION], axis=1)


def _tile_rects(
    centres: Float64, radius: Float64, whole: NDArray[np.bool_], camera: Camera
) -> NDArray[np.int64]:
    """(N, 4) tiles that the square of `radius` around each centre touches, within the picture."""
    columns, rows = grid(camera)
    pixels = np.where(whole[:, None], centres - 0.5, 0.0)  # the official rule counts from pixel 0
    reach = np.where(whole, radius, 0.0)[:, None]
    start = np.clip(np.floor((pixels - reach) / TILE), 0, (columns, rows))
    end = np.clip(np.floor((pixels + reach + (TILE - 1)) / TILE), 0, (columns, rows))
    return np.concatenate([start, end], axis=1).astype(np.int64)
