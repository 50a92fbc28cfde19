"""Rotation vectors: axis times angle in radians."""

from __future__ import annotations

import numpy as np

from ..records.arrays import Float64


def rotation_vector(rotation: Float64) -> Float64:
    """(3, 3) -> (3,): axis times angle in radians, at most pi long."""
    r = rotation
    twice = np.array([r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1]])  # 2 sin * axis
    sine, cosine = np.linalg.norm(twice) / 2, (np.trace(r) - 1) / 2
    angle = float(np.arctan2(sine, cosine))
    if sine > 1e-6:
        return np.asarray(twice / (2 * sine) * angle, np.float64)
    if cosine > 0:
        return np.asarray(twice / 2, np.float64)
    # Half a turn: the axis is the column of r + 1 that is longest.
    column = (r + np.eye(3))[:, np.argmax(np.diag(r))]
    return np.asarray(column / np.linalg.norm(column) * np.pi, np.float64)


def rotation_matrix(vector: Float64) -> Float64:
    """(3,) -> (3, 3): Rodrigues' formula."""
    angle = float(np.linalg.norm(vector))
    if angle < 1e-12:
        return np.eye(3)
    x, y, z = vector / angle
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * (cross @ cross)
