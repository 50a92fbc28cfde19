"""Initial points of a training, all over the head: the face from its mesh; hair, ears and the back
of the head as far out as the masks of some frames allow, joined to the face without a step.

They are also where a training keeps its Gaussians (training/surface.py)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..records.arrays import Float64
from ..system.threads import in_order
from .bundle import project
from .mask_regions import Mask
from .mesh import OVAL, SKIN_POINTS

FACE_POINTS, SHELL_POINTS = 14_000, 16_000
# An ellipsoid as large as a head with hair: half axes sideways, up, to the viewer, and middle, in
# decimetres for a face 1.4 wide.
ROUND, MIDDLE = np.array([0.8, 1.05, 0.85]), np.array([0.0, 0.3, -0.35])
WIDER = 0.4  # how far hair may reach beyond the ellipsoid, sideways and up
RADII = 24  # steps from the innermost place to the outermost
INSIDE = 0.9  # of the frames in which a point must lie on the head
ALONG = 8  # places on the face's outline from one of its points to the next
AROUND = 90  # directions in which the shell's rim is looked for
EVEN = 24  # neighbours that a place of the shell takes its distance from


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
    found, reach = fits > 0, _evened(directions, fits * farthest)
    shell = ((directions * reach[:, None] * ROUND + MIDDLE) * scale)[found]
    shell = _joined(shell, mesh, scale, float(shifts[:, 2].mean()))
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


def _evened(directions: Float64, reach: Float64) -> Float64:
    """(D,) the mean of each direction's neighbours, where the head was found, but not beyond what
    was found: the steps of the search would else be steps of the surface."""
    from scipy.spatial import cKDTree

    near = cKDTree(directions).query(directions, k=EVEN)[1]
    weights = (reach > 0).astype(np.float64)[near]
    mean = (reach[near] * weights).sum(1) / np.maximum(weights.sum(1), 1)
    return np.minimum(mean, reach)


def _joined(shell: Float64, mesh: Float64, scale: float, away: float) -> Float64:
    """The shell (S, 3) without what is before the face, and moved in depth, which no mask shows: it
    begins at the face's outline and reaches its own depth at the rim that the masks show. away: of
    the camera before the head, decimetres; the points move along its rays, so that what the masks
    show stays."""
    from scipy.spatial import cKDTree

    corners = mesh[OVAL]
    share = np.linspace(0, 1, ALONG, endpoint=False)[:, None, None]
    outline = (corners + share * (np.roll(corners, -1, 0) - corners)).reshape(-1, 3)
    middle = outline[:, :2].mean(0)
    around, reach = _polar(outline[:, :2] - middle)
    face = _Around.of(around, reach)
    angles, far = _polar(shell[:, :2] - middle)
    front = shell[:, 2] > MIDDLE[2] * scale
    if not front.any():
        return shell
    _, near = cKDTree(shell[front, :2]).query(outline[:, :2])
    lower = _Around.of(around, outline[:, 2] - shell[front, 2][near])
    before = front & (far < face.at(angles))
    shell, angles, far = shell[~before], angles[~before], far[~before]
    if not len(shell):
        return shell
    edge, rim = face.at(angles), _Around.outermost(angles, far).at(angles)
    outwards = np.clip((far - edge) / np.maximum(rim - edge, 1e-9), 0, 1)
    moved = np.where(far < edge, 0.0, (1 - outwards) * lower.at(angles))
    nearer = (away - shell[:, 2] - moved) / (away - shell[:, 2])
    return np.stack([*(shell[:, :2].T * nearer), shell[:, 2] + moved], 1)


@dataclass(frozen=True, eq=False)
class _Around:
    """Values by direction around a middle, which sees their places whole; ascending angles in
    radians."""

    angles: Float64
    values: Float64

    @classmethod
    def of(cls, angles: Float64, values: Float64) -> _Around:
        order = np.argsort(angles)
        return cls(angles[order], values[order])

    @classmethod
    def outermost(cls, angles: Float64, far: Float64) -> _Around:
        """The largest distance in each of AROUND directions, 0 where there is none."""
        sector = np.floor((angles / (2 * np.pi) + 0.5) * AROUND).astype(int) % AROUND
        most = np.zeros(AROUND)
        np.maximum.at(most, sector, far)
        return cls((np.arange(AROUND) + 0.5) / AROUND * 2 * np.pi - np.pi, most)

    def at(self, angles: Float64) -> Float64:
        return np.interp(angles, self.angles, self.values, period=2 * np.pi)


def _polar(places: Float64) -> tuple[Float64, Float64]:
    x, y = places.T
    return np.arctan2(y, x), np.hypot(x, y)


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
