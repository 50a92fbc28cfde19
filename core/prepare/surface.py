"""Points all over the head, to begin a training with: the face from its mesh, the rest a guess."""

from __future__ import annotations

import numpy as np

from .mesh import SKIN_POINTS
from .shape import Float64

FACE_POINTS, SHELL_POINTS = 14_000, 16_000
ROUND = (0.86, 1.18, 0.95)  # half axes of a head with hair, decimetres, sideways, up, to the viewer
ROUND_MIDDLE = (0.0, 0.28, -0.42)


def head_points(mesh: Float64) -> Float64:
    """(30000, 3) in the head's frame, the same for the same mesh (478, 3): points on the triangles
    of the face, and on an ellipsoid for hair, ears and the back of the head, where no face is."""
    face = _on_triangles(mesh[:SKIN_POINTS])
    scale = float(np.ptp(mesh[:, 0])) / 1.4
    golden = np.pi * (3 - 5**0.5)
    index = np.arange(3 * SHELL_POINTS)
    up = 1 - 2 * (index + 0.5) / len(index)
    around = golden * index
    flat = np.sqrt(1 - up**2)
    ball = np.stack([flat * np.cos(around), up, flat * np.sin(around)], 1)
    shell = (ball * ROUND + ROUND_MIDDLE) * scale
    # Not in front of the face: there the mesh is the surface.
    x0, y0 = mesh[:, :2].min(0)
    x1, y1 = mesh[:, :2].max(0)
    middle, half = np.array([(x0 + x1) / 2, (y0 + y1) / 2]), np.array([x1 - x0, y1 - y0]) / 2
    before = ((shell[:, :2] - middle) / half) ** 2
    shell = shell[~((before.sum(1) < 1) & (shell[:, 2] > ROUND_MIDDLE[2] * scale))]
    shell = shell[np.linspace(0, len(shell) - 1, SHELL_POINTS).astype(int)]
    return np.concatenate([face, shell])


def _on_triangles(points: Float64) -> Float64:
    """(FACE_POINTS, 3) evenly over the face: on triangles between neighbours as seen from the
    front. Needs scipy."""
    from scipy.spatial import Delaunay

    corners = points[Delaunay(points[:, :2]).simplices]
    edges = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(1)
    corners = corners[edges < 0.35 * np.ptp(points[:, 0])]
    areas = np.linalg.norm(
        np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1
    )
    random = np.random.default_rng(0)
    chosen = corners[random.choice(len(corners), FACE_POINTS, p=areas / areas.sum())]
    u, v = random.random((2, FACE_POINTS, 1))
    flip = u + v > 1
    u, v = np.where(flip, 1 - u, u), np.where(flip, 1 - v, v)
    return np.asarray(
        chosen[:, 0] + u * (chosen[:, 1] - chosen[:, 0]) + v * (chosen[:, 2] - chosen[:, 0])
    )
