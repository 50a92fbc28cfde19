"""Rotation vectors and matrices of many frames at once.

Not scipy's Rotation: it differs in the last bits, and the same video would get other pose files.
"""

from __future__ import annotations

import numpy as np

from ..records.arrays import Float64


def rotation(vectors: Float64) -> Float64:
    """(..., 3, 3) of rotation vectors (..., 3) in radians."""
    angle = np.linalg.norm(vectors, axis=-1)[..., None, None]
    small = np.maximum(angle, 1e-12)
    skew = np.zeros((*vectors.shape, 3))
    x, y, z = np.moveaxis(vectors, -1, 0)
    skew[..., 0, 1], skew[..., 0, 2], skew[..., 1, 2] = -z, y, -x
    skew -= np.swapaxes(skew, -1, -2)
    first = np.where(angle < 1e-6, 1.0, np.sin(small) / small)
    second = np.where(angle < 1e-6, 0.5, (1 - np.cos(small)) / small**2)
    return np.eye(3) + first * skew + second * (skew @ skew)


def rotation_vectors(rotations: Float64) -> Float64:
    """(K, 3) radians of (K, 3, 3), for turns below half a turn."""
    skew = (rotations - np.swapaxes(rotations, 1, 2)) / 2
    axis = np.stack([skew[:, 2, 1], skew[:, 0, 2], skew[:, 1, 0]], 1)
    sine = np.linalg.norm(axis, axis=1)
    angle = np.arctan2(sine, (np.trace(rotations, axis1=1, axis2=2) - 1) / 2)
    return np.asarray(axis * (angle / np.maximum(sine, 1e-12))[:, None])


def mean_rotation(rotations: Float64) -> Float64:
    u, _, vt = np.linalg.svd(rotations.mean(0))
    return np.asarray(u @ vt, np.float64)
