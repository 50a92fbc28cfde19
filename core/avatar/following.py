"""An external head pose, limited to the range seen in training."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np

from ..records.arrays import Float64
from ..records.avatar import Avatar
from .rotations import rotation_matrix, rotation_vector
from .turning import PITCH, ROLL, YAW, about_neck

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
    """The range of the training track; without a track, 15 degrees about every axis and no shift. A
    bust turns at least as far as busts are made for (turning.py), and shifts as far as that turn
    moves a point 1 dm from its centre. Cached as long as the avatar exists."""
    found = _ranges.get(avatar)
    if found is None:
        found = _measured(avatar)
        found = _ranges[avatar] = found if avatar.body is None else _widened(found)
    return found


def _measured(avatar: Avatar) -> HeadRange:
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


def _widened(found: HeadRange) -> HeadRange:
    turn = np.radians([PITCH, YAW, ROLL])
    shift = 2 * np.sin(turn.max() / 2)
    return HeadRange(
        np.minimum(found.turn_low, -turn),
        np.maximum(found.turn_high, turn),
        np.minimum(found.shift_low, -shift),
        np.maximum(found.shift_high, shift),
    )


def followed_viewmat(
    avatar: Avatar, motion: Float64, limits: HeadRange, located: bool = True
) -> Float64:
    """(4, 4) training camera that shows the still head moved by `motion` (4, 4), a rigid motion in
    the head's frame. Rotation and translation are clamped to the limits component by component.
    Not `located`: the motion's translation does not count, and the head turns about its neck."""
    turn = np.clip(rotation_vector(motion[:3, :3]), limits.turn_low, limits.turn_high)
    moved = about_neck(avatar, rotation_matrix(turn))
    if located:
        moved[:3, 3] = np.clip(motion[:3, 3], limits.shift_low, limits.shift_high)
    return np.asarray(avatar.camera.viewmat @ moved, np.float64)
