"""Openings of mouth and eyes from landmarks, (R, 68, 2) pixels, NaN if unknown. The numbers are
those of the 68-point iBUG markup."""

from __future__ import annotations

import numpy as np

from ..dataset.landmarks import LOWER_INNER, MOUTH, UPPER_INNER
from ..records.arrays import Float64

# Upper and lower lids, right eye and left eye.
UPPER_LIDS, LOWER_LIDS = (37, 38, 43, 44), (41, 40, 47, 46)


def lip_gap(landmarks: Float64, up: Float64) -> Float64:
    """(R,) pixels: the upper inner lip minus the lower one along the head's upward direction `up`
    (R, 2), mean of the three pairs; negative if they cross. The project's lip measure, because it
    does not change with the head's roll or with an offset of the landmarks."""
    return _opening(landmarks, up, UPPER_INNER, LOWER_INNER)


def eye_gap(landmarks: Float64, up: Float64) -> Float64:
    """(R,) pixels between the lids, mean of both eyes."""
    return _opening(landmarks, up, UPPER_LIDS, LOWER_LIDS)


def mouth_distance(landmarks: Float64, truth: Float64) -> Float64:
    """(R,) LMD in pixels: mean distance of the mouth's landmarks 48..67, with the mean of each set
    subtracted."""
    return _centred_distance(landmarks[:, MOUTH], truth[:, MOUTH])


def _opening(
    landmarks: Float64, up: Float64, upper: tuple[int, ...], lower: tuple[int, ...]
) -> Float64:
    between = landmarks[:, list(upper)] - landmarks[:, list(lower)]
    gap: Float64 = np.einsum("rpc,rc->rp", between, up).mean(axis=1)
    return gap


def _centred_distance(landmarks: Float64, truth: Float64) -> Float64:
    a = landmarks - landmarks.mean(axis=1, keepdims=True)
    b = truth - truth.mean(axis=1, keepdims=True)
    distance: Float64 = np.linalg.norm(a - b, axis=2).mean(axis=1)
    return distance
