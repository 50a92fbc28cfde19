"""Landmarks as points of the head."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from core.dataset.landmarks import MIN_FRAMES, triangulate
from core.records.camera import viewmat_from_track
from tests.support.training_inputs import poses

FOCAL, CENTRE = 220.0, (32.0, 30.0)


def views(frames: int, turning: float = 1.0) -> NDArray[np.float64]:
    euler, trans = poses(frames)
    pairs = zip(turning * euler, np.array([0, 0, -7.7]) + turning * trans * (1, 1, 0), strict=True)
    return np.stack([viewmat_from_track(e, t) for e, t in pairs]).astype(np.float64)


def seen(points: NDArray[np.float64], viewmats: NDArray[np.float64]) -> NDArray[np.float64]:
    camera = np.einsum("fij,kj->fki", viewmats[:, :3, :3], points) + viewmats[:, None, :3, 3]
    return camera[..., :2] / camera[..., 2:] * FOCAL + CENTRE


@pytest.fixture
def points() -> NDArray[np.float64]:
    return np.random.default_rng(0).uniform(-0.6, 0.6, (68, 3))


def test_known_points_come_back(points: NDArray[np.float64]) -> None:
    viewmats = views(20)
    anchors = triangulate(seen(points, viewmats), viewmats, FOCAL, CENTRE)
    assert anchors is not None
    np.testing.assert_allclose(anchors, points, atol=1e-8)


def test_noise_in_the_pictures_is_averaged(points: NDArray[np.float64]) -> None:
    viewmats = views(400)
    pixels = seen(points, viewmats)
    pixels += np.random.default_rng(1).normal(0, 0.5, pixels.shape)
    anchors = triangulate(pixels.astype(np.float32), viewmats, FOCAL, CENTRE)
    assert anchors is not None
    off = np.linalg.norm(seen(anchors, viewmats) - pixels, axis=-1)
    assert np.sqrt((off**2).mean()) == pytest.approx(0.5 * np.sqrt(2), rel=0.05)
    assert np.abs(anchors - points)[:, :2].max() < 0.01


def test_frames_without_landmarks_are_left_out(points: NDArray[np.float64]) -> None:
    viewmats = views(20)
    pixels = seen(points, viewmats)
    pixels[3], pixels[7, 5, 1] = np.nan, np.nan
    anchors = triangulate(pixels, viewmats, FOCAL, CENTRE)
    assert anchors is not None
    np.testing.assert_allclose(anchors, points, atol=1e-8)
    pixels[MIN_FRAMES + 1 :] = np.nan
    assert triangulate(pixels, viewmats, FOCAL, CENTRE) is None


def test_a_head_that_does_not_turn_tells_no_depth(points: NDArray[np.float64]) -> None:
    viewmats = views(20, turning=0.0)
    assert triangulate(seen(points, viewmats), viewmats, FOCAL, CENTRE) is None
