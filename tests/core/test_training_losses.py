"""Losses on pictures compared with independent values and finite differences."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from core.training.config import Losses
from core.training.losses import picture_loss, psnr, ssim

H, W = 24, 30
LIPS = (3, 12, 5, 20)
NONE = {field.name: 0.0 for field in fields(Losses)}


def pictures(seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    rng = np.random.default_rng(seed)
    a = gaussian_filter(rng.random((H, W, 3)), (2, 2, 0)).astype(np.float32) * 2 - 0.5
    return a, (a + 0.1 * rng.normal(size=a.shape)).clip(0, 1).astype(np.float32)


def ssim_by_scipy(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    a, b = a.astype(np.float64), b.astype(np.float64)

    def mean(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return gaussian_filter(x, (1.5, 1.5, 0), truncate=3.5)[5:-5, 5:-5]

    ma, mb = mean(a), mean(b)
    va, vb, vab = mean(a * a) - ma**2, mean(b * b) - mb**2, mean(a * b) - ma * mb
    above = (2 * ma * mb + 1e-4) * (2 * vab + 9e-4)
    return float((above / ((ma**2 + mb**2 + 1e-4) * (va + vb + 9e-4))).mean())


@pytest.mark.parametrize("seed", [0, 1])
def test_ssim_is_scipys(seed: int) -> None:
    a, b = pictures(seed)
    value = float(ssim(torch.from_numpy(a), torch.from_numpy(b)))
    assert 0.2 < value < 0.98
    assert value == pytest.approx(ssim_by_scipy(a, b), abs=2e-5)
    assert float(ssim(torch.from_numpy(a), torch.from_numpy(a))) == pytest.approx(1, abs=1e-6)


def test_psnr_is_of_clipped_pictures() -> None:
    a, b = map(torch.from_numpy, pictures())
    expected = -10 * np.log10(((a.numpy().clip(0, 1).astype(float) - b.numpy()) ** 2).mean())
    assert psnr(a, b) == pytest.approx(expected, abs=1e-4)
    assert psnr(b, b) == pytest.approx(120)
    assert psnr(b + 0.1 - 0.2 * (b > 0.5), b) == pytest.approx(20, abs=1e-3)


def loss_of(picture: torch.Tensor, alpha: torch.Tensor, weights: Losses) -> torch.Tensor:
    _, target = pictures()
    head = torch.zeros(H, W)
    head[4:20, 6:25] = 1
    return picture_loss(picture, torch.from_numpy(target), alpha, head, LIPS, weights)


@pytest.mark.parametrize("part", ["l1", "ssim", "square", "lips", "mask"])
def test_each_part_has_the_gradient_of_finite_differences(part: str) -> None:
    weights = Losses(**{**NONE, part: 1.0})
    picture = torch.from_numpy(pictures()[0]).requires_grad_()
    alpha = torch.rand(H, W, generator=torch.Generator().manual_seed(1)).requires_grad_()
    loss_of(picture, alpha, weights).backward()
    moved, other = (alpha, picture) if part == "mask" else (picture, alpha)
    assert moved.grad is not None
    assert other.grad is None or not other.grad.any()
    rng = np.random.default_rng(2)
    for _ in range(5):
        way = torch.from_numpy(rng.normal(size=moved.shape).astype(np.float32))
        step = 1e-3  # float32: small enough for few kinks, large enough for the digits
        with torch.no_grad():
            ends = []
            for sign in (1, -1):
                values = (picture, moved + sign * step * way)
                if part != "mask":
                    values = (moved + sign * step * way, alpha)
                ends.append(float(loss_of(*values, weights)))
        by_steps = (ends[0] - ends[1]) / (2 * step)
        assert by_steps == pytest.approx(float((moved.grad * way).sum()), rel=0.05, abs=2e-3)


def test_the_mask_pulls_alpha_towards_the_head() -> None:
    picture = torch.from_numpy(pictures()[0])
    alpha = torch.full((H, W), 0.5, requires_grad=True)
    loss_of(picture, alpha, Losses(**{**NONE, "mask": 1.0})).backward()
    assert alpha.grad is not None
    inside = torch.zeros(H, W, dtype=torch.bool)
    inside[4:20, 6:25] = True
    assert (alpha.grad[inside] == -1 / (H * W)).all() and (alpha.grad[~inside] > 0).all()


def test_the_lips_weigh_their_own_box_alone() -> None:
    _, target = map(torch.from_numpy, pictures())
    alpha = torch.zeros(H, W)
    outside = target.clone()
    outside[15:] = 0
    assert float(loss_of(outside, alpha, Losses(**{**NONE, "lips": 1.0}))) == 0
    inside = target.clone()
    inside[3:12, 5:20] += 0.25
    assert float(loss_of(inside, alpha, Losses(**{**NONE, "lips": 2.0}))) == pytest.approx(0.5)


def test_parts_add_up_and_a_small_picture_has_no_ssim() -> None:
    a = torch.from_numpy(pictures()[0])
    alpha = torch.full((H, W), 0.3)
    names = ("l1", "ssim", "square", "lips", "mask")
    parts = [float(loss_of(a, alpha, Losses(**{**NONE, n: 0.5}))) for n in names]
    weights = Losses(**{**NONE, **dict.fromkeys(names, 0.5)})
    assert float(loss_of(a, alpha, weights)) == pytest.approx(sum(parts), rel=1e-5)
    small = torch.zeros(8, 8, 3)
    loss = picture_loss(small, small, small[..., 0], small[..., 0], None, Losses())
    assert float(loss) == 0
