"""gsplat as a differentiable rasteriser, with a fake of the package if there is no GPU."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")
import torch

from core.records.camera import Camera
from core.records.gaussians import C0
from core.render.cuda import gsplat
from core.render.rasteriser import DILATION, NEAR
from core.training.rasterisers import gsplat as gsplat_torch
from core.training.rasterisers.record import SplatTensors
from tests.support import plain_rasteriser
from tests.support.render_scenes import decibels, head
from tests.support.splatting_scenes import (
    INPUTS,
    first,
    gradients,
    loss_of,
    run,
    slopes,
    small_camera,
    tensors,
    turning,
)


def rasterization(**given: Any) -> tuple[torch.Tensor, torch.Tensor, dict[str, torch.Tensor]]:
    """gsplat's function of that name for a batch of one frame of one camera, by the plain twin."""
    assert (given["packed"], given["sh_degree"], given["render_mode"]) == (False, None, "RGB")
    assert (given["near_plane"], given["eps2d"]) == (NEAR, DILATION)
    (fx, _, cx), (_, fy, cy), _ = given["Ks"][0, 0].tolist()
    view = given["viewmats"][0, 0].double().numpy()
    camera = Camera(view, fx, fy, cx, cy, given["width"], given["height"])
    sh = (given["colors"][0] - 0.5)[:, None] / C0
    names = ("means", "quats", "scales", "opacities")
    centres = torch.zeros(1, 1, len(sh), 2, requires_grad=True) + 0  # as computed, no leaf
    splats = SplatTensors(*(given[name][0] for name in names), sh)
    drawn = plain_rasteriser.splat(splats, camera, 0, centres[0, 0])
    radii = drawn.radii[None, None, :, None].repeat(1, 1, 1, 2).int()
    alpha = drawn.alpha[None, None, ..., None]
    return drawn.colour[None, None], alpha, {"means2d": centres, "radii": radii}


def test_what_goes_in_and_comes_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gsplat", SimpleNamespace(rasterization=rasterization))
    view, scene = small_camera(), first(head(), 80)
    inputs, plain = tensors(scene), tensors(scene)
    found, truth = (
        run(module.splat, values, view, 3)
        for module, values in ((gsplat_torch, inputs), (plain_rasteriser, plain))
    )
    assert decibels(found.colour.detach().numpy(), truth.colour.detach().numpy()) > 100
    assert torch.equal(found.radii, truth.radii)
    expected = slopes(loss_of(truth, view), plain)
    for name, slope in slopes(loss_of(found, view), inputs).items():
        assert np.abs(slope - expected[name]).max() <= 1e-4 * np.abs(expected[name]).max(), name


def test_the_probe_adds_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gsplat", SimpleNamespace(rasterization=rasterization))
    view, inputs = small_camera(), tensors(first(head(), 20))
    loss_of(run(gsplat_torch.splat, inputs, view, 0), view).backward()
    once = inputs[5].grad.clone()
    loss_of(run(gsplat_torch.splat, inputs, view, 0), view).backward()
    assert once.any() and torch.allclose(inputs[5].grad, 2 * once)


def test_on_a_gpu_it_agrees_with_the_plain_twin() -> None:
    reason = gsplat.available()
    if reason is not None:
        pytest.skip(f"needs a CUDA device: {reason}")
    view, scene = small_camera(), first(head(), 80)
    inputs = [x.detach().cuda().requires_grad_() for x in tensors(scene)]
    picture = run(gsplat_torch.splat, inputs, view, 3)
    here = picture._replace(colour=picture.colour.cpu(), alpha=picture.alpha.cpu())
    loss_of(here, view).backward()
    expected = gradients(plain_rasteriser.splat, scene, view, 3)
    expected["quats"] = turning(expected["quats"], scene.quats)
    for name, x in zip(INPUTS, inputs, strict=True):
        error = np.linalg.norm(x.grad.cpu().numpy() - expected[name])
        assert error <= 0.02 * np.linalg.norm(expected[name]), name
