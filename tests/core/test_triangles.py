"""Triangles before a camera, against rays through the same corners of pixels."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from core.records.camera import Camera
from core.render.rasteriser import EMPTY
from core.render.rays import Area, corner_rays
from core.render.triangles import EACH, MOST, nearest_triangles

CAMERA = Camera(np.eye(4), 60.0, 55.0, 20.3, 14.9, 40, 30)
AREA = Area(3, 2, 37, 29)


def by_rays(points: NDArray[np.float64], corners: NDArray[np.int32]) -> NDArray[np.float64]:
    """Each ray against each triangle (Moeller and Trumbore), in units of the scene."""
    rays = corner_rays(CAMERA, AREA)
    out = np.full(rays.shape[:2], EMPTY)
    for a, b, c in points[corners]:
        one, two = b - a, c - a
        normal = np.cross(rays, two)
        with np.errstate(divide="ignore", invalid="ignore"):
            scale = 1 / (normal @ one)
            u = scale * (normal @ -a)
            v = scale * (rays @ np.cross(-a, one))
            distance = scale * (two @ np.cross(-a, one))
        hit = (u >= 0) & (v >= 0) & (u + v <= 1) & (distance > 0)
        out[hit] = np.minimum(out[hit], distance[hit] * CAMERA.unit)
    return out


@pytest.mark.parametrize("seed", range(5))
def test_they_are_what_rays_find(seed: int) -> None:
    """Also those that reach behind the camera, or are wholly behind it."""
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(60, 3)) * (2, 2, 1.5) + (0, 0, 1.0)
    corners = rng.integers(0, 60, (40, 3)).astype(np.int32)
    found = nearest_triangles(CAMERA, points, corners, AREA)
    wanted = by_rays(points, corners)
    assert found is not None and found.dtype == np.float32
    assert (wanted < EMPTY).mean() > 0.3
    np.testing.assert_array_equal(found < EMPTY, wanted < EMPTY)
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_a_surface_of_small_triangles_has_no_holes() -> None:
    x = np.linspace(-3, 3, 31)
    across, along = np.meshgrid(x, x)
    points = np.stack([across, along, 3 + 0.1 * np.sin(9 * across)], -1).reshape(-1, 3)
    at = np.arange(31 * 31, dtype=np.int32).reshape(31, 31)
    a, b, c, d = (p.ravel() for p in (at[:-1, :-1], at[1:, :-1], at[1:, 1:], at[:-1, 1:]))
    corners = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    found = nearest_triangles(CAMERA, points, corners, AREA)
    assert found is not None
    assert 0.289 < found.min() <= found.max() < 0.311


def test_nothing_and_too_much() -> None:
    none = nearest_triangles(CAMERA, np.zeros((0, 3)), np.zeros((0, 3), np.int32), AREA)
    assert none is not None and none.min() == np.float32(EMPTY)
    behind = np.array([[0, 0, -1.0], [1, 0, -1], [0, 1, -2]])
    one = np.array([[0, 1, 2]], np.int32)
    alone = nearest_triangles(CAMERA, behind, one, AREA)
    assert alone is not None and alone.min() == np.float32(EMPTY)
    rays = 35 * 28
    assert nearest_triangles(CAMERA, behind, one.repeat(MOST * rays // EACH + 1, 0), AREA) is None
    sliver = np.array([[-9.0, -9, 3], [9, 9, 3], [9, 9.001, 3]])
    assert nearest_triangles(CAMERA, sliver, one.repeat(MOST + 1, 0), AREA) is None
