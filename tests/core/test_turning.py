"""A head turned by angles: about its neck, in the directions that are documented."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core.avatar.following import followed_viewmat, head_range
from core.avatar.motion import body_pose_at, head_on_body, viewmat_at
from core.avatar.rotations import rotation_matrix
from core.avatar.turning import NECK_REACH, Turn, neck_of, nodding_body_pose, turned_viewmat
from core.network.skinning import SkinnedBody, rigid_inverse
from core.records.avatar import Avatar, Track
from core.records.camera import Camera, pose_vector, viewmat_from_track
from tests.support.synthetic import random_body, random_gaussians

NECK = np.array([0.05, -0.5, -0.1])
FRONT, LEFT_EAR, CROWN = np.eye(3)[[2, 0, 1]]


def bust(neck: np.ndarray = NECK, swaying: bool = False) -> Avatar:
    """Its head turned about `neck` in training, in all directions."""
    rest = viewmat_from_track((0.1, -0.1, 0.02), (0.1, 0, -7.5))
    viewmats = []
    for i in range(12):
        turn = rotation_matrix(0.1 * np.sin(np.array([i, 2 * i, 3 * i])))
        moved = np.eye(4)
        moved[:3, :3], moved[:3, 3] = turn, neck - turn @ neck
        viewmats.append(rest @ moved)
    sway = np.eye(4)
    sway[0, 3] = 0.2
    bodies = np.float32([rest, *[rest @ sway] * 11]) if swaying else None
    return Avatar(
        "bust", random_gaussians(), Camera(rest, 220, 220, 32, 32, 64, 64),
        track=Track(np.float32(viewmats), np.zeros(12), bodies), body=random_body(),
    )  # fmt: skip


def turned(avatar: Avatar, turn: Turn, seconds: float = 0.0) -> np.ndarray:
    """(4, 4) motion of the head on its body."""
    placed = head_on_body(avatar, pose_vector(turned_viewmat(avatar, turn, seconds)))
    assert placed is not None
    return placed


def test_the_neck_is_found_in_the_track() -> None:
    assert neck_of(bust()) == pytest.approx(NECK, abs=1e-5)
    assert neck_of(replace(bust(), track=None)) == pytest.approx(np.zeros(3))
    far = neck_of(bust(np.array([0.0, -6.0, 0.0])))
    assert np.linalg.norm(far) == pytest.approx(NECK_REACH)


def test_the_neck_stays_in_place_and_angles_turn_as_documented() -> None:
    avatar = bust()
    turn = Turn(yaw=0.4, pitch=-0.2, roll=0.2)
    neck = np.append(NECK, 1)
    assert turned(avatar, turn) @ neck == pytest.approx(neck, abs=1e-5)
    assert (turned(avatar, Turn(yaw=0.4))[:3, :3] @ FRONT)[0] == pytest.approx(np.sin(0.4))
    assert (turned(avatar, Turn(pitch=0.2))[:3, :3] @ FRONT)[1] == pytest.approx(-np.sin(0.2))
    assert (turned(avatar, Turn(roll=0.2))[:3, :3] @ LEFT_EAR)[1] == pytest.approx(-np.sin(0.2))
    yawed = turned(avatar, Turn(yaw=0.4, pitch=0.2))[:3, :3]
    nod_axis = turned(avatar, Turn(yaw=0.4))[:3, :3] @ LEFT_EAR
    assert yawed @ LEFT_EAR == pytest.approx(nod_axis, abs=1e-6)  # it nods about its own ears


def test_no_angle_is_the_still_pose_and_a_whole_nod_the_track() -> None:
    avatar = bust(swaying=True)
    assert np.array_equal(turned_viewmat(avatar, Turn(), 0.1), avatar.camera.viewmat)
    assert nodding_body_pose(avatar, Turn(yaw=0.4), 0.1) is None
    for seconds in (0.08, 0.11):
        whole = Turn(nod=1.0)
        expected = viewmat_at(avatar, seconds)
        assert turned_viewmat(avatar, whole, seconds) == pytest.approx(expected, abs=1e-6)
        expected = body_pose_at(avatar, seconds)
        assert nodding_body_pose(avatar, whole, seconds) == pytest.approx(expected, abs=1e-6)
    half = viewmat_at(avatar, 0.08)
    half = np.trace((rigid_inverse(avatar.camera.viewmat) @ half)[:3, :3])
    part = np.trace(turned(avatar, Turn(nod=0.5), 0.08)[:3, :3])
    assert np.arccos((part - 1) / 2) == pytest.approx(np.arccos((half - 1) / 2) / 2, rel=1e-3)


def test_following_without_a_place_turns_about_the_neck() -> None:
    avatar, motion = bust(), np.eye(4)
    motion[:3, :3] = rotation_matrix(np.array([0.1, 0.2, 0.1]))
    shown = followed_viewmat(avatar, motion, head_range(avatar), located=False)
    neck = np.append(NECK, 1)
    assert shown @ neck == pytest.approx(avatar.camera.viewmat @ neck, abs=1e-5)
    shown = followed_viewmat(avatar, motion, head_range(avatar))
    assert shown[:3, 3] == pytest.approx(avatar.camera.viewmat[:3, 3])


def test_the_body_stands_and_the_head_turns() -> None:
    avatar = bust()
    assert avatar.body is not None
    pose = pose_vector(turned_viewmat(avatar, Turn(yaw=0.4, roll=-0.2), 0.0))
    placed = head_on_body(avatar, pose)
    assert placed is not None
    body = SkinnedBody(avatar.body, avatar.camera.viewmat).at(pose)
    means = body.means @ placed[:3, :3].T + placed[:3, 3]
    still = avatar.body.weights == 0
    assert means[still] == pytest.approx(avatar.body.means[still], abs=1e-5)
    assert np.abs(means - avatar.body.means)[~still].max() > 0.1


def test_a_head_alone_turns_only_where_that_is_wanted() -> None:
    avatar = replace(bust(), body=None)
    viewmat = turned_viewmat(avatar, Turn(yaw=0.4), 0.0)
    assert head_on_body(avatar, pose_vector(viewmat)) is None
    placed = head_on_body(avatar, pose_vector(viewmat), alone=True)
    assert placed == pytest.approx(rigid_inverse(avatar.camera.viewmat) @ viewmat, abs=1e-6)
