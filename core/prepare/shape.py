"""The mean head of a clip's face meshes, and its frame of reference (core/records/camera.py)."""

from __future__ import annotations

import numpy as np

from ..records.arrays import Float64
from .mesh import CHIN, FOREHEAD, MIRRORED, NOSE_TIP, OUTER_CORNERS, STABLE

# People's eyes are about this far apart, outer corner to outer corner, decimetres. It sets the
# scale, which a clip does not show.
EYE_SPAN = 0.89
EYES_UP, NOSE_FRONT = 0.3, 0.5  # y of the eyes and z of the nose's tip, as in official data
ROUNDS = 5


def similarity(source: Float64, target: Float64) -> tuple[float, Float64, Float64]:
    """Scale, rotation (3, 3) and shift (3,) that align points (P, 3) best with others."""
    a, b = source - source.mean(0), target - target.mean(0)
    u, spread, vt = np.linalg.svd(b.T @ a)
    sign = np.array([1, 1, np.sign(np.linalg.det(u @ vt))])
    turn = (u * sign) @ vt
    scale = float((spread * sign).sum() / (a**2).sum())
    return scale, turn, target.mean(0) - scale * turn @ source.mean(0)


def head_frame(points: Float64) -> tuple[float, Float64, Float64]:
    """Scale, rotation and shift of a face mesh (478, 3), x right, y up, into the head's frame."""
    x = (points[MIRRORED[:, 1]] - points[MIRRORED[:, 0]]).mean(0)
    x /= np.linalg.norm(x)
    y = points[FOREHEAD] - points[CHIN]
    y -= x * (x @ y)
    y /= np.linalg.norm(y)
    turn = np.stack([x, y, np.cross(x, y)])
    corners = points[list(OUTER_CORNERS)]
    scale = EYE_SPAN / float(np.linalg.norm(corners[1] - corners[0]))
    stood = scale * points @ turn.T
    middle = stood[MIRRORED].mean((0, 1))[0]
    eyes = stood[list(OUTER_CORNERS), 1].mean()
    return scale, turn, -np.array([middle, eyes - EYES_UP, stood[NOSE_TIP, 2] - NOSE_FRONT])


def mean_head(meshes: Float64) -> Float64:
    """(478, 3) in the head's frame: the mean of meshes (K, 478, 3) as MediaPipe gives them (x, y
    down, z away), aligned by the points of a face that do not move."""
    faces = meshes * np.array([1.0, -1.0, -1.0])
    mean = faces[len(faces) // 2]
    for _ in range(ROUNDS):
        laid = []
        for face in faces:
            scale, turn, shift = similarity(face[STABLE], mean[STABLE])
            laid.append(scale * face @ turn.T + shift)
        mean = np.mean(laid, 0)
    scale, turn, shift = head_frame(mean)
    return np.asarray(scale * mean @ turn.T + shift)
