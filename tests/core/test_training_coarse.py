"""A training begins on pictures of half the size."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from core.records.camera import Camera
from core.training import coarse
from core.training.batches import HeadCrop
from core.training.coarse import LEAST, SMALL, crop_at, halved
from tests.support.training_runs import SMALL as SMALL_TRAINING
from tests.support.training_runs import job_of, make_talking_clip, train


def crop_of(height: int, width: int, lips: tuple[int, int, int, int] | None = None) -> HeadCrop:
    random = torch.Generator().manual_seed(0)
    target, background = torch.rand(2, height, width, 3, generator=random)
    head = torch.rand(height, width, generator=random)
    camera = Camera(np.eye(4), 500.0, 510.0, 130.5, 90.25, width, height)
    return HeadCrop(3, camera, target, background, head, lips)


def test_a_pixel_of_half_the_size_is_the_mean_of_four() -> None:
    whole = crop_of(301, 262, (20, 41, 30, 61))
    half = halved(whole)
    assert half.target.shape == half.background.shape == (150, 131, 3)
    for name in ("target", "background", "head"):
        pixels = getattr(whole, name)[40:42, 60:62].reshape(4, -1).mean(0)
        assert torch.allclose(getattr(half, name)[20, 30].reshape(-1), pixels)
    assert half.lips == (10, 20, 15, 30) and half.row == 3


def test_the_camera_sees_a_point_at_half_its_place() -> None:
    whole = crop_of(301, 262).camera
    half = halved(crop_of(301, 262)).camera
    assert (half.width, half.height) == (131, 150)
    for name in ("fx", "fy", "cx", "cy"):
        assert getattr(half, name) == pytest.approx(getattr(whole, name) / 2)


def test_lips_of_less_than_a_pixel_are_none() -> None:
    assert halved(crop_of(300, 300, (20, 21, 30, 60))).lips is None


def test_small_pictures_and_the_later_part_stay_whole() -> None:
    whole, little = crop_of(LEAST, LEAST), crop_of(LEAST, LEAST - 1)
    assert crop_at(SMALL - 0.01, whole).target.shape[0] == LEAST // 2
    assert crop_at(SMALL, whole) is whole
    assert crop_at(0, little) is little


def test_the_first_half_of_a_training_draws_small_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coarse, "LEAST", 8)
    sizes = []
    half = coarse.halved
    monkeypatch.setattr(coarse, "halved", lambda crop: sizes.append(1) or half(crop))
    config = replace(SMALL_TRAINING, static_steps=6, lips_steps=0, motion_steps=8, body=False)
    train(job_of(make_talking_clip(tmp_path), tmp_path / "job", config))
    assert len(sizes) == 3 + 4
