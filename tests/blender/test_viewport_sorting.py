"""Sorting farthest first over all heads, by 16 bits of depth."""

from __future__ import annotations

import numpy as np
import pytest
from egstalker.core.render.rasteriser import NEAR
from egstalker.egstalker_blender.viewport.sorting import LEVELS, depths, order
from egstalker.egstalker_blender.viewport.view import Placed, View, place

PERSPECTIVE = np.array([[2.0, 0, 0, 0], [0, 2, 0, 0], [0, 0, -1, -0.1], [0, 0, -1, 0]])


def looking(distance: float, scale: float = 1.0) -> Placed:
    """A head `distance` metres before the camera, on its axis."""
    view = View(np.eye(4), PERSPECTIVE, 64, 64)
    world = np.diag([scale, scale, scale, 1.0])
    world[2, 3] = -distance
    placed = place(view, world)
    assert placed is not None
    return placed


def cloud(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 1, (n, 3)).astype(np.float32)


def test_depths_are_metres_of_the_world() -> None:
    # The head's y points up; at this place Blender's Z, so y is depth: 1 dm nearer.
    up = np.array([[0, 1, 0], [0, 0, 0]], np.float32)
    assert depths(up, looking(2)) == pytest.approx([1.9, 2.0])
    assert depths(up, looking(2, scale=3)) == pytest.approx([1.7, 2.0])


def test_farthest_first_within_a_level() -> None:
    means, placed = cloud(20000), looking(2)
    found = order([(0, means, placed)], NEAR)
    z = depths(means, placed)
    assert sorted(found.indices.astype(int)) == list(range(20000))
    assert (found.near, found.far) == pytest.approx((z.min(), z.max()))
    steps = np.diff(z[found.indices.astype(int)])
    assert steps.max() <= (found.far - found.near) / LEVELS * 1.01
    assert steps.min() < 0


def test_equal_depths_keep_the_first_in_front() -> None:
    means = np.zeros((50, 3), np.float32)
    means[40, 1] = 1  # one of them nearer
    found = order([(7, means, looking(2))], NEAR)
    assert found.indices[-1] == 47
    assert list(found.indices[:-1]) == [7 + i for i in range(49, -1, -1) if i != 40]


def test_heads_are_sorted_together() -> None:
    a, b = cloud(500, 1), cloud(700, 2)
    near, far = looking(2.0), looking(2.05, 1.5)
    found = order([(0, a, near), (500, b, far)], NEAR)
    z = np.concatenate([depths(a, near), depths(b, far)])
    steps = np.diff(z[found.indices.astype(int)])
    assert steps.max() <= (found.far - found.near) / LEVELS * 1.01
    owners = found.indices < 500
    assert np.count_nonzero(owners[1:] != owners[:-1]) > 100  # interleaved, not one after another


def test_what_is_behind_or_no_number_is_left_out() -> None:
    means = np.zeros((5, 3), np.float32)
    means[1] = np.nan
    means[2, 1] = np.inf
    means[3, 1] = 25  # behind the camera
    means[4, 1] = 19.81  # 0.19 dm before it: the near rule
    assert set(order([(0, means, looking(2))], NEAR).indices) == {0}
    assert set(order([(0, means, looking(2))], None).indices) == {0, 3, 4}


@pytest.mark.parametrize("heads", [[], [(0, np.full((3, 3), np.nan, np.float32), looking(2))]])
def test_nothing_to_draw(heads: list[tuple[int, np.ndarray, Placed]]) -> None:
    found = order(heads, NEAR)
    assert len(found.indices) == 0
    assert found.far > found.near


def test_one_depth_alone_has_a_range() -> None:
    found = order([(0, np.zeros((3, 3), np.float32), looking(2))], NEAR)
    assert found.far > found.near
    assert len(found.indices) == 3
