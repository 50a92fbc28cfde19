"""Our adapters and our oracle against gsplat's own torch reference, without a GPU.

Each adapter calls gsplat's real `rasterization`, which checks names and shapes; only its kernels
are replaced (tests/support/gsplat_on_cpu.py).
"""

from __future__ import annotations

import inspect
from types import ModuleType
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("gsplat", reason="gsplat is not installed")
import torch

from core.bake.backends import choose_backend
from core.records.gaussians import Splats
from core.render import reference
from core.render.cuda import gsplat as our_gsplat
from core.render.cuda import gsplat_drawer, views
from core.render.cuda import scene as scene_module
from core.render.projection import project
from core.render.rasteriser import TILE
from core.training.rasterisers import gsplat as gsplat_torch
from tests.support import plain_rasteriser
from tests.support.gsplat_on_cpu import on_cpu
from tests.support.pretend_gsplat import arguments_of
from tests.support.pretend_gsplat import rasterization as pretended
from tests.support.render_scenes import camera, decibels, hard_cases, head, noise
from tests.support.splatting_scenes import (
    first,
    gradients,
    loss_of,
    run,
    scenes,
    slopes,
    small_camera,
    tensors,
    turning,
)


@pytest.fixture
def gsplat(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return on_cpu(monkeypatch)


def scene_of(*heads: Splats) -> scene_module.Scene:
    parts = [scene_module.scene_of(splats, torch.device("cpu")).tensors for splats in heads]
    return scene_module.Scene(*(torch.cat(part) for part in zip(*parts, strict=True)), raw=False)


def drawn(gsplat: ModuleType, splats: Splats, degree: int = 3) -> tuple[Any, ...]:
    """One frame: without the axis of the batch, as far as gsplat's results have one."""
    rgb, alpha, meta = gsplat.rasterization(**arguments_of(splats, camera(), degree))
    single = {name: meta[name][0] for name in ("depths", "means2d", "conics", "radii")}
    return rgb[0], alpha[0], {**meta, **single}


def test_a_processor_is_not_given_gsplat_because_it_can_be_imported() -> None:
    if torch.cuda.is_available():
        pytest.skip("needs a machine without a CUDA device")
    assert our_gsplat.available() is not None
    assert choose_backend("auto").name not in ("gsplat", "nvrtc")


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_harmonics(degree: int) -> None:
    from gsplat.cuda._torch_impl import _spherical_harmonics

    scene, view = head(), camera()
    directions = torch.from_numpy(scene.means) - torch.tensor(view.centre, dtype=torch.float32)
    sums = _spherical_harmonics(degree, directions, torch.from_numpy(scene.sh))
    found = arguments_of(scene, view, degree)["colors"][0]
    torch.testing.assert_close(found, (sums + 0.5).clamp(min=0), atol=2e-6, rtol=0)


def test_projection(gsplat: ModuleType) -> None:
    scene, view = head(), camera()
    _, _, meta = drawn(gsplat, scene)
    ours = project(scene, view, 0)
    assert len(ours) == len(scene)  # all are seen, so that the order of depth matches them up
    order = np.argsort(meta["depths"][0].numpy(), kind="stable")
    depths = (scene.means.astype(np.float64) @ view.viewmat[:3, :3].T + view.viewmat[:3, 3])[:, 2]
    np.testing.assert_allclose(meta["depths"][0].numpy(), depths, atol=2e-6)
    assert np.abs(meta["means2d"][0].numpy()[order] - ours.centres).max() < 2e-3
    assert np.abs(meta["conics"][0].numpy()[order] - ours.conics).max() < 2e-3
    a, b, c = ours.conics.T  # of the inverse covariance: the variances are c and a over this
    reach = 3.33 * np.sqrt(np.stack([c, a], axis=1) / (a * c - b * b)[:, None])
    over = meta["radii"][0].numpy()[order] - reach
    assert over.min() > -1e-3 and over.max() < 1 + 1e-3  # rounded up


def test_tiles_and_the_order_in_them(gsplat: ModuleType) -> None:
    """Where gsplat and the oracle draw the same Gaussians in a tile, they do in the same order."""
    scene, view = hard_cases()["equal depths"], camera()
    _, _, meta = drawn(gsplat, scene)
    ours = project(scene, view, 0)
    depths = meta["depths"][0].numpy()
    source = np.argsort(depths, kind="stable")
    assert len(ours) == len(source)
    rows, columns = meta["isect_offsets"].shape[-2:]
    assert (rows, columns) == (-(-view.height // TILE), -(-view.width // TILE))
    starts = meta["isect_offsets"].flatten().tolist()
    ends = [*starts[1:], len(meta["flatten_ids"])]
    x0, y0, x1, y1 = ours.rects.T
    shared = all_ours = 0
    for tile, (start, end) in enumerate(zip(starts, ends, strict=True)):
        y, x = divmod(tile, columns)
        expected = source[(x0 <= x) & (x < x1) & (y0 <= y) & (y < y1)]
        found = meta["flatten_ids"][start:end].numpy()
        common = found[np.isin(found, expected)]
        assert np.array_equal(common, expected[np.isin(expected, found)]), tile
        shared, all_ours = shared + len(common), all_ours + len(expected)
    assert shared > 0.6 * all_ours  # the oracle's footprints are square


@pytest.mark.parametrize("name", ["head", "off screen", "near plane", "one"])
def test_pictures_of_single_frames(gsplat: ModuleType, name: str) -> None:
    scene = hard_cases()[name]
    rgb, alpha, _ = drawn(gsplat, scene)
    truth = reference.rasterise(scene, camera())
    image = torch.cat([rgb, alpha], dim=-1)[0].numpy()
    assert image.shape == truth.shape and image.dtype == truth.dtype
    # As on a GPU (test_render_gsplat.py): the footprint ends elsewhere.
    assert decibels(image, truth) >= 65
    assert np.abs(image - truth).max() <= 4 / 255


def test_pictures_of_a_batch(gsplat: ModuleType) -> None:
    heads, cameras = [head(300, 1), head(300, 2)], [camera(), camera(distance=5.0)]
    table, over = torch.from_numpy(views.view_table(cameras)), noise()
    drawer = gsplat_drawer.GsplatDrawer()
    pictures = drawer.draw(scene_of(*heads), table, (97, 61), torch.from_numpy(over)).pictures
    for picture, splats, view in zip(pictures.numpy(), heads, cameras, strict=True):
        truth = reference.rasterise(splats, view, over)
        assert decibels(picture, truth) >= 65
        assert np.abs(picture - truth).max() <= 4 / 255


@pytest.mark.parametrize("name", ["head", "near plane", "off screen", "equal depths", "dark"])
def test_training_gets_the_picture_and_its_gradients(gsplat: ModuleType, name: str) -> None:
    view, scene = small_camera(), first(scenes()[name], 120)
    inputs = tensors(scene)
    picture = run(gsplat_torch.splat, inputs, view, 3)
    truth = run(plain_rasteriser.splat, tensors(scene), view, 3)
    assert decibels(picture.colour.detach().numpy(), truth.colour.detach().numpy()) >= 65
    assert picture.radii.shape == truth.radii.shape and picture.radii.dtype == truth.radii.dtype
    assert ((picture.radii > 0) >= (truth.radii > 0)).all()
    expected = gradients(plain_rasteriser.splat, scene, view, 3)
    expected["quats"] = turning(expected["quats"], scene.quats)
    for key, slope in slopes(loss_of(picture, view), inputs).items():
        error = np.linalg.norm(slope - expected[key])
        assert error <= 0.03 * np.linalg.norm(expected[key]), key  # the footprint ends elsewhere


def test_an_opacity_past_the_limit_is_pulled_back(gsplat: ModuleType) -> None:
    """The limit of alpha must not cut the gradient, or the Gaussian stays opaque for ever."""
    view, scene = small_camera(), first(scenes()["saturated"], 120)
    assert (scene.opacities > 0.99).all()
    inputs = tensors(scene)
    found = slopes(loss_of(run(gsplat_torch.splat, inputs, view, 3), view), inputs)["opacities"]
    expected = gradients(plain_rasteriser.splat, scene, view, 3)["opacities"]
    assert np.linalg.norm(found - expected) <= 0.15 * np.linalg.norm(expected)


def test_the_stand_in_takes_and_gives_what_gsplat_does(gsplat: ModuleType) -> None:
    """pretend_gsplat.py, which tests of devices use because it is quick."""
    table = torch.from_numpy(views.view_table([camera(), camera(distance=5.0)]))
    batch = gsplat_drawer.arguments(scene_of(head(30, 1), head(30, 2)), table, (97, 61), 3)
    for given in (arguments_of(head(30), camera(), 3), batch):
        inspect.signature(gsplat.rasterization).bind(**given)
        *theirs, meta = gsplat.rasterization(**given)
        *ours, made = pretended(**given)
        pairs = [*zip(ours, theirs, strict=True), *((made[key], meta[key]) for key in made)]
        for found, expected in pairs:
            assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    with pytest.raises(TypeError):
        pretended(**given, sh_degrees=3)
