"""Initial points of a training, all over the head: the face from its mesh; hair, ears and the back
of the head as far out as the masks of some frames allow."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..records.arrays import Float64
from ..system.threads import in_order
from .bundle import project
from .mask_regions import Mask
from .mesh import SKIN_POINTS

FACE_POINTS, SHELL_POINTS = 14_000, 16_000
# An ellipsoid as large as a head with hair: half axes sideways, up, to the viewer, and middle, in
# decimetres for a face 1.4 wide.
ROUND, MIDDLE = np.array([0.8, 1.05, 0.85]), np.array([0.0, 0.3, -0.35])
WIDER = 0.4  # how far hair may reach beyond the ellipsoid, sideways and up
RADII = 24  # steps from the innermost place to the outermost
INSIDE = 0.9  # of the frames in which a point must lie on the head


def head_points(
    mesh: Float64,
    rotations: Float64,
    shifts: Float64,
    focal: float,
    heads: Sequence[Mask],
    threads: int = 1,
) -> Float64:
    """(P, 3) in the head's frame, at most 30,000, the same for the same input: `mesh` (478, 3), and
    poses (K, 3, 3), (K, 3) and head masks (H, W) of K frames."""
    scale = float(np.ptp(mesh[:, 0])) / 1.4
    directions = _ball(2 * SHELL_POINTS)
    # Masks do not show depth: to the front and to the back the ellipsoid is the limit.
    farthest = 1 + WIDER * (1 - np.abs(directions[:, 2]))
    farthest = np.where(directions[:, 1] < 0, 1.0, farthest)
    radii = np.linspace(0.45, 1, RADII)

    def inside(radius: float) -> Mask:
        points = (directions * (radius * farthest)[:, None] * ROUND + MIDDLE) * scale
        return np.asarray(_share_inside(points, rotations, shifts, focal, heads) >= INSIDE)

    fits = np.zeros(len(directions))
    for radius, ok in zip(radii, in_order(inside, radii.tolist(), threads), strict=True):
        fits = np.where(ok, radius, fits)  # the largest that fits is used
    shell = ((directions * (fits * farthest)[:, None] * ROUND + MIDDLE) * scale)[fits > 0]
    shell = shell[~_before_the_face(shell, mesh)]
    if len(shell) > SHELL_POINTS:
        shell = shell[np.linspace(0, len(shell) - 1, SHELL_POINTS).astype(int)]
    return np.concatenate([_on_triangles(mesh[:SKIN_POINTS]), shell])


def _ball(count: int) -> Float64:
    """(count, 3) evenly spaced directions."""
    index = np.arange(count)
    up = 1 - 2 * (index + 0.5) / count
    around = np.pi * (3 - 5**0.5) * index
    flat = np.sqrt(1 - up**2)
    return np.stack([flat * np.cos(around), up, flat * np.sin(around)], 1)


def _share_inside(
    points: Float64, rotations: Float64, shifts: Float64, focal: float, heads: Sequence[Mask]
) -> Float64:
    """(P,) share of the frames in which a point lies on the head."""
    inside = np.zeros(len(points))
    for turn, shift, head in zip(rotations, shifts, heads, strict=True):
        height, width = head.shape
        places = project(points, turn[None], shift[None], focal)[0] + (width / 2, height / 2)
        column, row = np.floor(places).astype(int).T
        within = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        column, row = column.clip(0, width - 1), row.clip(0, height - 1)
        inside += within & head[row, column]
    return inside / max(len(heads), 1)


def _before_the_face(points: Float64, mesh: Float64) -> Mask:
    """True for points in front, where the face mesh is the surface."""
    low, high = mesh[:, :2].min(0), mesh[:, :2].max(0)
    off = (points[:, :2] - (low + high) / 2) / ((high - low) / 2)
    return np.asarray(((off**2).sum(1) < 1) & (points[:, 2] > MIDDLE[2]))


def _on_triangles(points: Float64) -> Float64:
    """(FACE_POINTS, 3) evenly over the face: on triangles between neighbours as seen from the
    front. Needs scipy."""
    from scipy.spatial import Delaunay

    corners = points[Delaunay(points[:, :2]).simplices]
    edges = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(1)
    corners = corners[edges < 0.35 * np.ptp(points[:, 0])]
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    areas = np.linalg.norm(np.cross(first, second), axis=1)
    random = np.random.default_rng(0)
    chosen = random.choice(len(corners), FACE_POINTS, p=areas / areas.sum())
    u, v = random.random((2, FACE_POINTS, 1))
    flip = u + v > 1
    u, v = np.where(flip, 1 - u, u), np.where(flip, 1 - v, v)
    return np.asarray(corners[chosen, 0] + u * first[chosen] + v * second[chosen])
