"""Head pose and eyes at any second, from the avatar's training track or its still pose."""

from __future__ import annotations

import numpy as np

from ..errors import ArgumentError
from ..network.skinning import rigid_inverse
from ..records.arrays import Float32, Float64
from ..records.avatar import Avatar
from ..records.camera import pose_vector, viewmat_of_pose
from ..records.moment import Moment
from ..records.timeline import ping_pong, row_of_seconds

POSE_SOURCES = ("track", "still")


def viewmat_at(avatar: Avatar, seconds: float, pose: str = "track") -> Float64:
    """(4, 4) training camera at `seconds`; the track plays forwards and backwards forever. Between
    two rows the matrices are interpolated and the rotation is made orthonormal again."""
    if pose not in POSE_SOURCES:
        raise ArgumentError(
            f"pose source {pose!r} is unknown; choose one of {', '.join(POSE_SOURCES)}"
        )
    if pose == "still" or avatar.track is None:
        return avatar.camera.viewmat
    return _interpolated(avatar.track.viewmats, seconds)


def body_pose_at(avatar: Avatar, seconds: float, pose: str = "track") -> Float32 | None:
    """(12,) the body's pose at `seconds`, as Moment wants it: of the track if the head's pose is,
    else None for the still one."""
    if pose != "track" or avatar.track is None or avatar.track.bodies is None:
        return None
    return pose_vector(_interpolated(avatar.track.bodies, seconds))


def head_on_body(avatar: Avatar, pose: Float32, alone: bool = False) -> Float64 | None:
    """(4, 4) rigid, from the head's frame, in which the cloud is, to the body's at rest, where the
    cloud stands in a scene. None for a head alone, which stands in its own frame, unless `alone`:
    then it turns as if it had a body. pose (12,): the head's."""
    if avatar.body is None and not alone:
        return None
    return rigid_inverse(avatar.camera.viewmat) @ viewmat_of_pose(pose)


def _interpolated(viewmats: Float32, seconds: float) -> Float64:
    row, weight = row_of_seconds(seconds)
    here = viewmats[ping_pong(row, len(viewmats))].astype(np.float64)
    if not weight:
        return here
    mixed = (1 - weight) * here + weight * viewmats[ping_pong(row + 1, len(viewmats))]
    u, _, vt = np.linalg.svd(mixed[:3, :3])
    mixed[:3, :3] = u @ vt
    return mixed


def eye_at(avatar: Avatar, seconds: float) -> float:
    """Eye closure in [0, 1] from the training track; open (0) where the avatar has none."""
    if avatar.track is None:
        return 0.0
    eyes = avatar.track.eyes
    row, weight = row_of_seconds(seconds)
    here = float(eyes[ping_pong(row, len(eyes))])
    if not weight:
        return here
    return (1 - weight) * here + weight * float(eyes[ping_pong(row + 1, len(eyes))])


def moment_at(avatar: Avatar, seconds: float, pose: str = "track", strength: float = 1.0) -> Moment:
    return Moment(
        seconds,
        eye_at(avatar, seconds),
        pose_vector(viewmat_at(avatar, seconds, pose)),
        strength,
        body_pose=body_pose_at(avatar, seconds, pose),
    )
