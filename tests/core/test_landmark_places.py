"""Places on a head where things are attached."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core.avatar.landmarks import LANDMARKS, attached, guessed
from tests.support.avatar_inputs import small_avatar


def head_with_a_nose(width: float = 1.2, side: float = 0.0) -> np.ndarray:
    """(N, 3) an ellipsoid's surface with a cone of a nose; its middle `side` to the left."""
    rng = np.random.default_rng(0)
    skin = rng.normal(size=(4000, 3))
    skin *= np.array([0.5, 0.75, 0.6]) * width / np.linalg.norm(skin, axis=1, keepdims=True)
    nose = rng.uniform((-0.03, -0.03, 0.6), (0.03, 0.03, 0.72), (200, 3)) * width
    return np.asarray(np.concatenate([skin, nose]) + np.array((side, 0, 0)))


@pytest.mark.parametrize(("width", "side"), [(1.2, 0.0), (1.8, 0.1)])
def test_the_nose_is_found_and_the_rest_by_proportion(width: float, side: float) -> None:
    means = head_with_a_nose(width, side)
    opacities = np.ones(len(means))
    far = np.concatenate([means, [[side, 0, 3.0]]])  # a faint one in front of the face
    places = guessed(far, np.append(opacities, 0.01))
    assert places["nose"] == pytest.approx((side, 0, 0.71 * width), abs=0.03 * width)
    assert places["ear_left"][0] - side == pytest.approx(side - places["ear_right"][0], abs=0.02)
    assert places["ear_left"][0] > side + 0.4 * width
    heights = [places[name][1] for name in ("brow", "bridge", "nose", "chin")]
    assert heights == sorted(heights, reverse=True)
    assert set(places) == set(LANDMARKS)


def test_stored_landmarks_come_first_and_move_as_their_gaussians_do() -> None:
    avatar = small_avatar()
    assert avatar.landmarks is not None
    found = attached(avatar, ("brow", "chin"))
    still = avatar.gaussians.means
    expected = [avatar.landmarks[[21, 22]].mean(axis=0), avatar.landmarks[8]]
    assert found.places(still) == pytest.approx(np.array(expected), abs=1e-6)
    body = np.full((5, 3), 9.0, np.float32)  # more rows follow: those of a body
    shifted = np.concatenate([still + np.float32((0.1, 0, -0.2)), body])
    assert found.places(shifted) - expected == pytest.approx(
        np.tile((0.1, 0, -0.2), (2, 1)), abs=1e-6
    )


def test_without_stored_ones_the_rule_holds() -> None:
    avatar = replace(small_avatar(), landmarks=None)
    places = attached(avatar, ("nose", "chin")).places(avatar.gaussians.means)
    assert places[0, 2] > places[1, 2] - 1e-6 and places[0, 1] > places[1, 1]
