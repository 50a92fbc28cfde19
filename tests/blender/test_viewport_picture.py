"""The viewport shows the pixels of a bake: offscreen drawing against the rasteriser."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from egstalker.core.records.camera import Camera
from egstalker.core.render.numpy.tiles import rasterise
from egstalker.egstalker_blender.viewport.atlas import Entry
from egstalker.egstalker_blender.viewport.draw import Item, Renderer
from egstalker.egstalker_blender.viewport.view import View, place
from mathutils import Euler, Matrix, Vector

from tests.support.blender_viewport import (
    blended,
    canonical,
    demo,
    need_gpu,
    pixels,
    psnr,
    talking,
    view_of,
)

ENOUGH = 45  # decibels


@pytest.fixture(autouse=True)
def _gpu() -> None:
    need_gpu()


def camera(size: int = 256, degrees: float = 0.0) -> Camera:
    """The training camera, turned around the head, with a principal point off the centre."""
    base = demo().camera.resized(size, size)
    turn = np.eye(4)
    turn[:3, :3] = np.array(Matrix.Rotation(np.radians(degrees), 3, "Y"))
    return Camera(base.viewmat @ turn, base.fx, base.fy, base.cx + 9, base.cy - 5, size, size)


def moved(x: float, y: float, z: float, scale: float) -> np.ndarray:
    turn = Euler((x, y, z)).to_quaternion()
    return np.array(Matrix.LocRotScale(Vector((x, -z, 3 * y)), turn, Vector([scale] * 3)))


@pytest.mark.parametrize(("size", "degrees"), [(512, 0.0), (256, 0.0), (256, -35.0), (256, 140.0)])
def test_same_picture_as_the_bake(size: int, degrees: float) -> None:
    at = camera(size, degrees)
    found, wanted = blended(canonical(), view_of(at)), rasterise(canonical(), at)
    assert wanted[..., 3].max() > 0.99
    assert psnr(found, wanted) >= ENOUGH
    # A frame of background must not hide a bad head.
    head = wanted[..., 3] > 0.5
    assert psnr(found[head], wanted[head]) >= ENOUGH


def test_same_picture_while_it_talks() -> None:
    at = camera()
    wanted = rasterise(talking(), at)
    assert psnr(blended(talking(), view_of(at)), wanted) >= ENOUGH
    assert psnr(blended(canonical(), view_of(at)), wanted) < ENOUGH  # the mouth is elsewhere


@pytest.mark.parametrize("world", [moved(0.4, -0.2, 1.1, 1.0), moved(-1, 2, 0.3, 2.5)])
def test_an_object_may_stand_anywhere(world: np.ndarray) -> None:
    """Moved, rotated and scaled together with the camera, a head looks the same."""
    at = camera(degrees=-30)
    found = blended(canonical(), view_of(at, world), world=world)
    assert psnr(found, rasterise(canonical(), at)) >= ENOUGH
    assert psnr(blended(canonical(), view_of(at), world=world), found) < 30  # it matters


@pytest.mark.parametrize("degree", range(4))
def test_degree_of_spherical_harmonics(degree: int) -> None:
    """With colours that depend on the view more than the demo's do."""
    at = camera(degrees=-30)
    sh = canonical().sh.copy()
    sh[:, 1:] *= 6
    head = replace(canonical(), sh=sh)
    found = blended(head, view_of(at), sh_degree=degree)
    assert psnr(found, rasterise(head, at, sh_degree=degree)) >= ENOUGH
    other = rasterise(head, at, sh_degree=(degree + 1) % 4)
    assert psnr(found, other) < ENOUGH


def test_a_head_from_very_near() -> None:
    """With Gaussians before the near plane, and ellipses that the clamp limits."""
    base = camera()
    viewmat = base.viewmat.copy()
    viewmat[2, 3] = 1.6
    at = Camera(viewmat, 300, 300, 128, 128, 256, 256)
    assert psnr(blended(canonical(), view_of(at)), rasterise(canonical(), at)) >= 40


def test_two_heads_one_through_the_other() -> None:
    """Both heads are sorted together, like a single cloud."""
    at = camera()
    view = view_of(at)
    worlds = [np.eye(4), moved(0.02, 0.01, 0.03, 1.0)]
    renderer = Renderer()
    renderer.update([Entry(k, k, canonical()) for k in (4, 2)])
    items = [Item(2, worlds[1]), Item(4, worlds[0])]
    target, _ = renderer.blend(view, renderer._placed(view, items))
    both = pixels(target.colour)
    renderer.release()
    one = blended(canonical(), view)
    two = blended(canonical(), view, world=worlds[1])
    # Neither head is simply laid over the other.
    for front, back in ((one, two), (two, one)):
        assert psnr(both, front + (1 - front[..., 3:]) * back) < ENOUGH
    alpha = 1 - (1 - one[..., 3]) * (1 - two[..., 3])  # which does not depend on the order
    assert psnr(both[..., 3], alpha) >= ENOUGH


def test_orthographic_views_match_a_far_camera() -> None:
    base = camera()
    far = base.viewmat.copy()
    far[2, 3] = 2000  # decimetres
    fx = base.fx / base.viewmat[2, 3] * 2000
    distant = Camera(far, fx, fx, base.cx, base.cy, 256, 256)
    persp = view_of(distant)
    p = np.zeros((4, 4))
    p[0, 0] = p[1, 1] = 2 * fx / 256 / 200  # 200 m
    p[0, 3], p[1, 3] = 2 * base.cx / 256 - 1, 1 - 2 * base.cy / 256
    p[2, 2], p[3, 3] = -0.001, 1
    ortho = View(persp.viewmat, p, 256, 256)
    assert ortho.orthographic
    found = blended(canonical(), ortho)
    assert found[..., 3].max() > 0.98
    assert psnr(found, rasterise(canonical(), distant)) >= 35


def test_what_is_no_number_is_not_drawn() -> None:

    means = canonical().means.copy()
    means[::7] = np.nan
    found = blended(replace(canonical(), means=means), view_of(camera()))
    assert np.isfinite(found).all()
    assert found[..., 3].max() > 0.9


@pytest.mark.parametrize("world", [np.zeros((4, 4)), np.full((4, 4), np.nan)])
def test_an_object_without_volume_is_left_out(world: np.ndarray) -> None:
    assert place(view_of(camera()), world) is None


def test_modes() -> None:
    view: Any = view_of(camera())
    splats = blended(canonical(), view)
    points = blended(canonical(), view, mode="POINTS")
    assert set(np.unique(points[..., 3])) == {0.0, 1.0}
    assert 0.02 < points[..., 3].mean() < splats[..., 3].mean()
    rest = canonical().means.copy()
    low = rest[:, 1] < 0
    rest[low, 2] -= 0.05  # the lower half has moved 5 mm, which is full red
    motion = blended(canonical(), view, mode="MOTION", rest=rest)
    assert (motion[..., 3] == splats[..., 3]).all()
    solid = motion[..., 3] > 0.98
    rows = np.flatnonzero(solid.any(axis=1))
    top, bottom = motion[rows[5]][solid[rows[5]]], motion[rows[-5]][solid[rows[-5]]]
    assert (top[:, 2] > top[:, 0]).all()
    assert (bottom[:, 0] > bottom[:, 2]).all()
