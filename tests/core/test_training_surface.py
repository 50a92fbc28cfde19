"""The prior of a head's depth: zero on the surface, a pull towards it elsewhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from core.avatar.file import load_avatar
from core.dataset.load import load_clip
from core.records.gaussians import Gaussians
from core.training.surface import BEYOND, LOOSE, THIN, Surface
from tests.support.training_runs import SMALL, gaussians_at, job_of, make_talking_clip, train

SIDE = 0.02  # decimetres between points


def wall() -> np.ndarray:
    """(P, 3) a flat square of 1 dm, aslant."""
    line = np.arange(0, 1, SIDE)
    x, y = (values.ravel() for values in np.meshgrid(line, line))
    return np.stack([x, y, 0.5 * x], 1)


NORMAL = np.array([-0.5, 0, 1]) / 1.25**0.5


def loss_at(*places: np.ndarray) -> tuple[float, np.ndarray]:
    means = torch.tensor(np.stack(places), dtype=torch.float32, requires_grad=True)
    loss = Surface(wall(), "cpu").loss(gaussians_at(means))
    loss.backward()
    assert means.grad is not None
    return float(loss.detach()), means.grad.numpy()


def test_a_gaussian_is_pulled_straight_to_the_surface_once_it_is_farther_than_hair() -> None:
    place = np.array([0.5, 0.5, 0.25])
    loss, slope = loss_at(place, place + 0.9 * LOOSE * NORMAL, place - 0.2 * NORMAL)
    assert loss == pytest.approx((0.2 - LOOSE) / 3, rel=1e-3)
    np.testing.assert_allclose(slope, [[0] * 3, [0] * 3, -NORMAL / 3], atol=1e-6)


def test_beside_the_end_of_the_surface_nothing_pulls() -> None:
    along, edge = np.array([1, 0, 0.5]) / 1.25**0.5, np.array([0.0, 0.5, 0.0])
    assert loss_at(edge - 1.4 * BEYOND * along + 0.2 * NORMAL)[0] == 0.0
    assert loss_at(edge + 1.4 * BEYOND * along + 0.2 * NORMAL)[0] > 0.1


def test_a_gaussian_costs_its_thickness_across_the_surface_alone() -> None:
    """Two on the aslant wall: one a disc in its plane, the other the same disc facing the front."""
    middle = torch.tensor([[0.5, 0.5, 0.25]])
    disc = torch.tensor([[0.05, 0.05, 1e-6]]).log()
    half = np.arctan2(0.5, 1) / 2  # the wall is the front, turned about y
    losses = []
    for quat in ([np.cos(half), 0, -np.sin(half), 0], [1, 0, 0, 0]):
        raw = gaussians_at(middle)._replace(log_scales=disc, quats=2 * torch.tensor([quat]).float())
        losses.append(float(Surface(wall(), "cpu").loss(raw)))
    assert losses[0] < 1e-4
    assert losses[1] == pytest.approx(THIN * 0.05 * 0.5 / 1.25**0.5, rel=1e-3)


def trained_on(clip: Path, folder: Path, weight: float) -> Gaussians:
    losses = replace(SMALL.losses, surface=weight)
    config = replace(SMALL, static_steps=80, lips_steps=0, body=False, losses=losses)
    job = job_of(clip, folder, config)
    train(job)
    return load_avatar(job.out).gaussians


def test_a_training_keeps_its_gaussians_at_the_surface(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.training.surface.THIN", 0.0)
    clip = make_talking_clip(tmp_path)
    surface = Surface(load_clip(clip).points, "cpu")
    far = []
    for weight in (0.0, 1.0):
        means = trained_on(clip, tmp_path / str(weight), weight).means
        raw = gaussians_at(torch.from_numpy(means.astype(np.float32)))
        far.append(float(surface.loss(raw)))
    assert far[1] < 0.5 * far[0]


def test_a_training_makes_them_flat(tmp_path: Path) -> None:
    clip = make_talking_clip(tmp_path)
    shapes = []
    for weight in (0.0, 1.0):
        scales = np.exp(trained_on(clip, tmp_path / str(weight), weight).log_scales)
        shapes.append(float(np.median(scales.min(axis=1) / scales.max(axis=1))))
    assert shapes[1] < 0.7 * shapes[0]
