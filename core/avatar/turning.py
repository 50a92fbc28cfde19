"""The head turned by angles about its neck, with a share of the training track's movement."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np

from ..network.skinning import rigid_inverse
from ..records.arrays import Float32, Float64
from ..records.avatar import Avatar
from ..records.camera import pose_vector, viewmat_of_pose
from .motion import body_pose_at, viewmat_at
from .rotations import rotation_matrix, rotation_vector

# Degrees either way for which a bust is trained and evaluated.
YAW, PITCH, ROLL = 25.0, 15.0, 15.0
FARTHEST = 60.0  # degrees either way; linear blends of farther turns collapse the neck
MOST_NOD = 2.0
NECK_REACH = 1.0  # decimetre; the neck's top is no farther from the origin of the head's frame

_necks: MutableMapping[Avatar, Float64] = WeakKeyDictionary()


@dataclass(frozen=True)
class Turn:
    """yaw, pitch, roll: radians from the still pose. Positive yaw turns the face to the head's own
    left, positive pitch lowers the chin, positive roll lowers the left ear; the head rolls first,
    then pitches, then yaws. nod: share of the training track's movement of head and body, added in
    the axes of the turned head: 0 none, 1 as trained."""

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    nod: float = 0.0


def turned_viewmat(avatar: Avatar, turn: Turn, seconds: float) -> Float64:
    """(4, 4) training camera that shows the head turned about its neck. seconds: of the track."""
    motion = about_neck(avatar, rotation_of(turn))
    if turn.nod:
        motion = motion @ _share(avatar, viewmat_at(avatar, seconds), turn.nod)
    return np.asarray(avatar.camera.viewmat @ motion, np.float64)


def nodding_body_pose(avatar: Avatar, turn: Turn, seconds: float) -> Float32 | None:
    """(12,) the body's pose with the same share of its movement, as Moment wants it; None where it
    stands still."""
    body = body_pose_at(avatar, seconds)
    if body is None or not turn.nod:
        return None
    motion = _share(avatar, viewmat_of_pose(body), turn.nod)
    return pose_vector(avatar.camera.viewmat @ motion)


def rotation_of(turn: Turn) -> Float64:
    """(3, 3) in the head's frame: x to the head's left, y up, z to the viewer."""
    yaw = rotation_matrix(np.array([0.0, turn.yaw, 0.0]))
    pitch = rotation_matrix(np.array([turn.pitch, 0.0, 0.0]))
    roll = rotation_matrix(np.array([0.0, 0.0, -turn.roll]))
    return np.asarray(yaw @ pitch @ roll, np.float64)


def about_neck(avatar: Avatar, rotation: Float64) -> Float64:
    """(4, 4) motion in the head's frame: the rotation (3, 3) with the neck's top held in place."""
    neck = neck_of(avatar)
    motion = np.eye(4)
    motion[:3, :3] = rotation
    motion[:3, 3] = neck - rotation @ neck
    return motion


def neck_of(avatar: Avatar) -> Float64:
    """(3,) decimetres in the head's frame: the point about which the head turns. It is the one
    that moved least in training (least squares over the track; of equal ones the one nearest to
    the origin), at most NECK_REACH from the origin; without a track the origin. Cached as long as
    the avatar exists."""
    found = _necks.get(avatar)
    if found is None:
        found = _necks[avatar] = _measured_neck(avatar)
    return found


def _measured_neck(avatar: Avatar) -> Float64:
    if avatar.track is None:
        return np.zeros(3)
    motions = rigid_inverse(avatar.camera.viewmat) @ avatar.track.viewmats.astype(np.float64)
    turns = (motions[:, :3, :3] - np.eye(3)).reshape(-1, 3)
    neck = np.linalg.lstsq(turns, -motions[:, :3, 3].reshape(-1), rcond=1e-3)[0]
    return np.asarray(neck * min(1.0, NECK_REACH / max(float(np.linalg.norm(neck)), 1e-9)))


def _share(avatar: Avatar, viewmat: Float64, share: float) -> Float64:
    """(4, 4) motion from the still pose to `viewmat`, its rotation vector and its shift scaled."""
    motion = rigid_inverse(avatar.camera.viewmat) @ viewmat
    part = np.eye(4)
    part[:3, :3] = rotation_matrix(share * rotation_vector(motion[:3, :3]))
    part[:3, 3] = share * motion[:3, 3]
    return part
