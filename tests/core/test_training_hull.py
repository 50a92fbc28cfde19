"""Initial points from masks alone: they lie on the body that the masks show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.dataset import visual_hull
from core.dataset.load import TrainingClip, load_clip
from core.dataset.visual_hull import points_from_masks
from core.errors import DatasetError
from tests.support.training_inputs import RADIUS, disc


@pytest.fixture(scope="module")
def clip(whole_clip: Path) -> TrainingClip:
    return load_clip(whole_clip)


@pytest.fixture(autouse=True)
def coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visual_hull, "CELLS", 48)


def test_the_hull_of_a_sphere(clip: TrainingClip) -> None:
    points = points_from_masks(clip, 5000)
    assert points.shape == (5000, 3) and points.dtype == np.float64
    pixel = 7.7 / clip.focal
    # Across the view the masks tell all but a pixel.
    assert np.abs(points[:, :2]).max(0) == pytest.approx([RADIUS, RADIUS], abs=1.5 * pixel)
    # On the surface: nothing well inside, and along the view not much beyond.
    radii = np.linalg.norm(points, axis=1)
    assert radii.min() > RADIUS - 3 * pixel and radii.max() < 1.5 * RADIUS
    # From in front and from behind.
    assert points[:, 2].min() < -0.5 * RADIUS and points[:, 2].max() > 0.5 * RADIUS


def test_every_point_is_seen_inside_the_masks(clip: TrainingClip) -> None:
    points = points_from_masks(clip, 3000)
    for row in (0, 9, 19):
        camera = clip.camera(row)
        seen = points @ camera.viewmat[:3, :3].T + camera.viewmat[:3, 3]
        at = np.floor(seen[:, :2] / seen[:, 2:] * camera.fx + camera.cx).astype(int)
        grown = np.pad(disc(row), 1)
        near = np.any(
            [grown[at[:, 1] + y, at[:, 0] + x] for y in range(3) for x in range(3)], axis=0
        )
        assert near.mean() > 0.98


def test_the_same_seed_gives_the_same_points(clip: TrainingClip) -> None:
    first = points_from_masks(clip, 100)
    np.testing.assert_array_equal(points_from_masks(clip, 100), first)
    assert (points_from_masks(clip, 100, seed=1) != first).any()


def test_a_bad_mask_among_many_does_no_harm(
    clip: TrainingClip, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = np.zeros((clip.height, clip.width), bool)
    monkeypatch.setattr(TrainingClip, "mask", lambda _, row: empty if row == 4 else disc(row))
    assert np.abs(points_from_masks(clip, 2000)[:, 0]).max() > 0.9 * RADIUS


def test_masks_without_a_head(clip: TrainingClip, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = np.zeros((clip.height, clip.width), bool)
    monkeypatch.setattr(TrainingClip, "mask", lambda _, row: empty)
    with pytest.raises(DatasetError, match="no head"):
        points_from_masks(clip, 10)


def test_the_real_clip(shared: Path) -> None:
    """Most of the hull lies near the true mesh, and most of the mesh's front near the hull."""
    from scipy.spatial import cKDTree

    clip = load_clip(shared / "talker_clip")
    points = points_from_masks(clip, 20_000)
    low, high = np.percentile(clip.points, (1, 99), axis=0)
    ours_low, ours_high = np.percentile(points, (1, 99), axis=0)
    np.testing.assert_allclose(ours_low[:2], low[:2], atol=0.2)
    np.testing.assert_allclose(ours_high[:2], high[:2], atol=0.2)
    front = clip.points[clip.points[:, 2] > 0.2]
    distance, _ = cKDTree(points).query(front)
    assert np.median(distance) < 0.15
