"""A pose that follows an object: unchanged at rest, equal to training poses, limited to them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.avatar.following import followed_viewmat, head_range
from core.avatar.rotations import rotation_matrix, rotation_vector
from core.avatar.turning import PITCH, ROLL, YAW
from core.records.avatar import Avatar
from core.records.body import Body
from tests.support.synthetic import random_body
from tests.support.talking import small_avatar

angles = st.floats(-np.pi, np.pi)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Avatar:
    return small_avatar(tmp_path_factory.mktemp("avatar") / "small.egs")


def motion(turn: tuple[float, float, float], shift: tuple[float, float, float]) -> np.ndarray:
    moved = np.eye(4)
    moved[:3, :3] = rotation_matrix(np.array(turn))
    moved[:3, 3] = shift
    return moved


@given(st.tuples(angles, angles, angles))
def test_vectors_and_matrices_are_inverse(vector: tuple[float, float, float]) -> None:
    given_matrix = rotation_matrix(np.array(vector))
    assert given_matrix @ given_matrix.T == pytest.approx(np.eye(3), abs=1e-9)
    back = rotation_matrix(rotation_vector(given_matrix))
    assert back == pytest.approx(given_matrix, abs=1e-5)


@pytest.mark.parametrize("axis", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (0.6, 0, 0.8), (-0.6, 0.8, 0)])
def test_half_a_turn(axis: tuple[float, float, float]) -> None:
    matrix = rotation_matrix(np.pi * np.array(axis))
    assert rotation_matrix(rotation_vector(matrix)) == pytest.approx(matrix, abs=1e-6)


def test_at_rest_it_is_the_still_pose(small: Avatar) -> None:
    assert np.array_equal(
        followed_viewmat(small, np.eye(4), head_range(small)), small.camera.viewmat
    )


def test_every_pose_of_the_training_can_be_reached(small: Avatar) -> None:
    limits = head_range(small)
    for viewmat in small.track.viewmats:
        moved = np.linalg.inv(small.camera.viewmat) @ viewmat.astype(np.float64)
        assert followed_viewmat(small, moved, limits) == pytest.approx(viewmat, abs=1e-5)


def test_farther_is_cut_off(small: Avatar) -> None:
    limits = head_range(small)
    for sign in (-1, 1):
        far = followed_viewmat(small, motion((2 * sign, 0, 0), (5, 5, 5)), limits)
        reached = np.linalg.inv(small.camera.viewmat) @ far
        turn = rotation_vector(reached[:3, :3])
        edge = limits.turn_high if sign > 0 else limits.turn_low
        assert turn == pytest.approx([edge[0], 0, 0], abs=1e-9)
        assert reached[:3, 3] == pytest.approx(limits.shift_high, abs=1e-9)


def test_without_a_track_a_small_turn_is_allowed_and_no_shift(small: Avatar) -> None:
    alone = replace(small, track=None)
    limits = head_range(alone)
    far = followed_viewmat(alone, motion((0, 2, 0), (1, 0, 0)), limits)
    reached = np.linalg.inv(alone.camera.viewmat) @ far
    assert np.degrees(rotation_vector(reached[:3, :3])) == pytest.approx([0, 15, 0])
    assert reached[:3, 3] == pytest.approx(np.zeros(3), abs=1e-9)


def test_the_direction_is_the_head_s_own(small: Avatar, tmp_path: Path) -> None:
    """A head that turns to its left (around y) moves its nose to the right of the picture."""
    limits = head_range(replace(small, track=None))
    viewmat = followed_viewmat(small, motion((0, 0.2, 0), (0, 0, 0)), limits)
    nose = np.array([0, 0, 1, 1.0])
    assert (viewmat @ nose)[0] > (small.camera.viewmat @ nose)[0]


def test_a_bust_turns_as_far_as_it_is_made_for(small: Avatar) -> None:
    bust = replace(small, track=None, body=Body(**vars(random_body())))
    for angle, axis in ((YAW, 1), (PITCH, 0), (ROLL, 2)):
        far = np.zeros(3)
        far[axis] = 2.0
        reached = followed_viewmat(bust, motion(tuple(far), (0, 0, 0)), head_range(bust))
        turn = rotation_vector((np.linalg.inv(bust.camera.viewmat) @ reached)[:3, :3])
        assert np.degrees(turn[axis]) == pytest.approx(angle)
