"""Soft outlines, and the film's background in an avatar's outline."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from core.dataset.matte import margin_of, outline
from core.evaluation.fringe import fringe_pixels

SIZE = 256
HAIR, WALL = (60, 45, 35), (150, 170, 190)


def _film(person: tuple[int, ...] = HAIR) -> tuple[NDArray[np.float64], ...]:
    """alpha (H, W), picture and background (H, W, 3) uint8 of a soft disc before a wall."""
    y, x = np.mgrid[:SIZE, :SIZE] - SIZE / 2
    alpha = gaussian_filter((np.hypot(x, y) < 80).astype(float), 1.0)
    shade = 1 + 0.1 * x[..., None] / SIZE
    background = (np.array(WALL) * shade).astype(np.uint8)
    mixed = alpha[..., None] * np.array(person) + (1 - alpha[..., None]) * background
    return alpha, mixed.round().astype(np.uint8), background


def test_the_outline_knows_what_share_of_each_pixel_is_the_person() -> None:
    alpha, picture, background = _film()
    mask = alpha > 0.1
    margin = margin_of(SIZE)
    found = outline(picture, background, mask, margin).alpha
    soft = mask & (alpha < 0.95)
    assert soft.sum() > 500
    assert np.abs(found - alpha)[soft].mean() < 0.05 < np.abs(mask - alpha)[soft].mean() / 4
    assert (found[~mask] == 0).all()
    assert (found[alpha > 0.9999] > 0.98).all()


def test_where_the_person_looks_like_the_wall_the_mask_decides() -> None:
    alpha, picture, background = _film(WALL)
    mask = alpha > 0.5
    found = outline(picture, background, mask, margin_of(SIZE)).alpha
    assert (found[mask] > 0.9).all() and not found[~mask].any()


def test_an_empty_or_tiny_mask_stays_as_it_is() -> None:
    _, picture, background = _film()
    mask = np.zeros((SIZE, SIZE), bool)
    assert not outline(picture, background, mask, 3).alpha.any()
    mask[5:7, 5:7] = True
    assert np.array_equal(outline(picture, background, mask, 3).alpha, mask.astype(np.float32))


@pytest.mark.parametrize("hard", [False, True], ids=["soft outline", "mask as outline"])
def test_a_cut_out_by_the_mask_has_a_fringe_and_a_soft_one_has_not(hard: bool) -> None:
    alpha, picture, background = _film()
    mask = alpha > 0.1
    share = mask.astype(float) if hard else alpha
    own = picture / 255 if hard else np.broadcast_to(np.array(HAIR) / 255, picture.shape)
    image = np.concatenate([own * share[..., None], share[..., None]], axis=2).astype(np.float32)
    count = fringe_pixels(image, picture, background, mask)
    assert count > 300 if hard else count == 0
