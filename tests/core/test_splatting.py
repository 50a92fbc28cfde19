"""The differentiable rasteriser on the CPU draws the official picture, always in the same bits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("numba", reason="numba is not installed")
import torch

from core.errors import ArgumentError, MissingPackageError
from core.render import reference
from core.render.numba import rasterise
from core.training.rasterisers import numba as splat_numba_torch
from core.training.rasterisers.choose import splatter_for
from core.training.rasterisers.record import Rendered, SplatTensors
from tests.support import plain_rasteriser
from tests.support.render_scenes import camera, decibels, hard_cases, head, noise
from tests.support.splatting_scenes import (
    INPUTS,
    first,
    loss_of,
    run,
    scenes,
    small_camera,
    tensors,
)

LEAST = 100.0  # decibels
CASES = hard_cases()
SMALL = scenes()


def whole(picture: Rendered) -> np.ndarray:
    return torch.cat([picture.colour, picture.alpha[..., None]], dim=-1).detach().numpy()


@pytest.mark.parametrize("name", CASES)
def test_the_picture_is_the_official_one(name: str) -> None:
    picture = run(splat_numba_torch.splat, tensors(CASES[name]), camera(), 3)
    truth = reference.rasterise(CASES[name], camera())
    assert decibels(whole(picture), truth) >= LEAST


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_degrees(degree: int) -> None:
    picture = run(splat_numba_torch.splat, tensors(CASES["head"]), camera(), degree)
    truth = reference.rasterise(CASES["head"], camera(), None, degree)
    assert decibels(whole(picture), truth) >= LEAST


def test_it_is_the_picture_that_is_baked() -> None:
    picture = run(splat_numba_torch.splat, tensors(head()), camera(), 3)
    assert np.array_equal(whole(picture), rasterise.rasterise(head(), camera()))
    behind = torch.from_numpy(noise())
    laid = picture.colour + (1 - picture.alpha[..., None]) * behind
    baked = rasterise.rasterise(head(), camera(), noise())
    assert np.abs(laid.detach().numpy() - baked[..., :3]).max() < 1e-6


def test_a_crop_is_a_camera_with_its_centre_moved() -> None:
    view = camera()
    crop = replace(view, cx=view.cx - 16, cy=view.cy - 16, width=50, height=30)
    # The limits of the slopes move with the crop, too, but reach past all that is in it.
    part = whole(run(splat_numba_torch.splat, tensors(head()), crop, 3))
    all_of_it = whole(run(splat_numba_torch.splat, tensors(head()), view, 3))
    assert decibels(part, all_of_it[16:46, 16:66]) >= LEAST


@pytest.mark.parametrize("name", SMALL)
def test_the_plain_twin_draws_the_same(name: str) -> None:
    view = small_camera()
    plain = run(plain_rasteriser.splat, tensors(SMALL[name], torch.float64), view, 3)
    fast = run(splat_numba_torch.splat, tensors(SMALL[name]), view, 3)
    assert decibels(whole(plain), reference.rasterise(SMALL[name], view)) >= LEAST
    assert np.array_equal(plain.radii.numpy(), fast.radii.numpy())
    assert not fast.radii.requires_grad and fast.radii.dtype == torch.float32


def test_radii_are_three_deviations_and_zero_outside() -> None:
    scene = first(head(), 4)
    means = np.array([[0, 0, 0], [0, 0, 20], [50, 0, 0], [0, 0, 0]], np.float32)
    scales = np.full((4, 3), 0.2, np.float32)
    opacities = np.array([0.5, 0.5, 0.5, 0.003], np.float32)
    scene = replace(scene, means=means, scales=scales, opacities=opacities)
    radii = run(splat_numba_torch.splat, tensors(scene), camera(), 0).radii
    pixels = camera().fx / camera().viewmat[2, 3] * 0.2  # as seen straight ahead
    assert radii[0] == np.ceil(3 * np.sqrt(pixels**2 + 0.3))
    assert radii[1:].tolist() == [0, 0, 0]  # behind the camera, aside, too faint


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_threads_and_repetition_change_no_bit(threads: int) -> None:
    def bits(workers: int) -> list[bytes]:
        *gaussians, probe = inputs = tensors(head())
        picture = splat_numba_torch.splat(
            SplatTensors(*gaussians), camera(), 3, probe, threads=workers
        )
        loss_of(picture, camera()).backward()
        return [whole(picture).tobytes(), *(x.grad.numpy().tobytes() for x in inputs)]

    once = bits(1)
    assert all(bits(threads) == once for _ in range(3))


def test_no_gaussians() -> None:
    inputs = tensors(head(0))
    picture = run(splat_numba_torch.splat, inputs, camera(), 3)
    assert not whole(picture).any() and picture.radii.shape == (0,)
    loss_of(picture, camera()).backward()
    assert [tuple(x.grad.shape) for x in inputs] == [tuple(x.shape) for x in inputs]


def test_what_is_not_drawn_has_no_gradient() -> None:
    inputs = tensors(CASES["not finite"])
    picture = run(splat_numba_torch.splat, inputs, camera(), 3)
    loss_of(picture, camera()).backward()
    hidden = picture.radii == 0
    assert hidden.any()
    for name, x in zip(INPUTS, inputs, strict=True):
        assert x.grad.isfinite().all(), name
        assert not x.grad[hidden].any(), name


def test_what_is_done_to_the_picture_does_not_reach_the_derivative() -> None:
    inputs, again = tensors(head(200)), tensors(head(200))
    picture = run(splat_numba_torch.splat, inputs, camera(), 3)
    loss = loss_of(picture, camera())
    with torch.no_grad():
        picture.colour.zero_()
        picture.alpha.zero_()
    loss.backward()
    loss_of(run(splat_numba_torch.splat, again, camera(), 3), camera()).backward()
    assert torch.equal(inputs[0].grad, again[0].grad)


def test_inputs_changed_before_going_back_are_noticed() -> None:
    inputs = tensors(head(20))
    loss = loss_of(run(splat_numba_torch.splat, inputs, camera(), 3), camera())
    with torch.no_grad():
        inputs[0].add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_a_picture_is_learned() -> None:
    view = camera(64, 48)
    target = run(splat_numba_torch.splat, tensors(head(300)), view, 1).colour.detach()
    means, quats, scales, opacities, sh, _ = tensors(head(300, seed=8))
    optimiser = torch.optim.Adam([means, opacities, sh], lr=0.02)
    losses = []
    for _ in range(60):
        optimiser.zero_grad()
        splats = SplatTensors(means, quats, scales, opacities, sh)
        picture = splat_numba_torch.splat(splats, view, 1)
        loss = (picture.colour - target).abs().mean()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.4 * losses[0]


@pytest.mark.parametrize("splat", [splat_numba_torch.splat, plain_rasteriser.splat])
@pytest.mark.parametrize(
    ("position", "value", "complaint"),
    [
        (0, torch.zeros(5, 3, dtype=torch.float64), "float64"),
        (1, torch.zeros(5, 3), r"quats has shape \(5, 3\), not \(5, 4\)"),
        (3, torch.zeros(5, 1), r"opacities has shape \(5, 1\)"),
        (4, torch.zeros(5, 15, 3), "needs 16 coefficients"),
        (5, torch.zeros(4, 2), "probe has shape"),
    ],
)
def test_inputs_are_checked(splat, position, value, complaint) -> None:  # type: ignore[no-untyped-def]
    inputs = tensors(head(5))
    inputs[position] = value
    with pytest.raises(ArgumentError, match=complaint):
        run(splat, inputs, camera(), 3)
    with pytest.raises(ArgumentError, match="degree 4"):
        run(splat, tensors(head(5)), camera(), 4)


def test_only_as_many_coefficients_as_the_degree_needs() -> None:
    short = tensors(replace(head(50), sh=np.ascontiguousarray(head(50).sh[:, :4])))
    full = tensors(head(50))
    pictures = [run(splat_numba_torch.splat, inputs, camera(), 1) for inputs in (short, full)]
    for picture in pictures:
        loss_of(picture, camera()).backward()
    assert np.array_equal(whole(pictures[0]), whole(pictures[1]))
    assert torch.equal(short[4].grad, full[4].grad[:, :4])
    assert not full[4].grad[:, 4:].any()


def test_every_device_has_its_own() -> None:
    assert splatter_for("cpu") is splat_numba_torch.splat
    with pytest.raises(ArgumentError, match="tpu"):
        splatter_for("tpu")
    if not torch.cuda.is_available():
        with pytest.raises(MissingPackageError):
            splatter_for("cuda")
