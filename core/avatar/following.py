"""An external head pose, limited to the range seen in training."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np

from ..records.arrays import Float64
from ..records.avatar import Avatar

# Used without a training track; a talking head turns at least this far.
UNKNOWN_RADIANS = np.radians(15.0)

_ranges: MutableMapping[Avatar, HeadRange] = WeakKeyDictionary()


@dataclass(frozen=True, eq=False)
class HeadRange:
    """The range of head motion in training, relative to the still pose, in the head's frame:
    rotation vectors (3,) in radians and translations (3,) in decimetres, lowest and highest. It
    always contains the still pose, 0."""

    turn_low: Float64
    turn_high: Float64
    shift_low: Float64
    shift_high: Float64


def head_range(avatar: Avatar) -> HeadRange:
    """The range of the training track; without a track, 15 degrees about every axis and no shift.
    Cached as long as the avatar exists."""
    found = _ranges.get(avatar)
    if found is None:
        found = _ranges[avatar] = _measure(avatar)
    return found


def _measure(avatar: Avatar) -> HeadRange:
    if avatar.track is None:
        turn, none = np.full(3, UNKNOWN_RADIANS), np.zeros(3)
        return HeadRange(-turn, turn, none, none)
    motions = np.linalg.inv(avatar.camera.viewmat) @ avatar.track.viewmats.astype(np.float64)
    turns = np.array([rotation_vector(motion[:3, :3]) for motion in motions])
    shifts = motions[:, :3, 3]
    return HeadRange(
        np.minimum(turns.min(0), 0),
        np.maximum(turns.max(0), 0),
        np.minimum(shifts.min(0), 0),
        np.maximum(shifts.max(0), 0),
    )


def followed_viewmat(avatar: Avatar, motion: Float64, limits: HeadRange) -> Float64:
    """(4, 4) training camera that shows the still head moved by `motion` (4, 4), a rigid motion in
    the head's frame. Rotation and translation are clamped to the limits component by component."""
    turn = np.clip(rotation_vector(motion[:3, :3]), limits.turn_low, limits.turn_high)
    moved = np.eye(4)
    moved[:3, :3] = rotation_matrix(turn)
    moved[:3, 3] = np.clip(motion[:3, 3], limits.shift_low, limits.shift_high)
    return np.asarray(avatar.camera.viewmat @ moved, np.float64)


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
