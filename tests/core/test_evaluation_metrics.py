"""Picture metrics compared with known values and with scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from core.evaluation.jitter import Flicker, acceleration
from core.metrics.pictures import psnr, ssim, ssim_map


def pictures(height=40, width=33, seed=0):
    rng = np.random.default_rng(seed)
    truth = gaussian_filter(rng.random((height, width, 3)), (2, 2, 0))
    truth = (truth - truth.min()) / np.ptp(truth)
    return np.clip(truth + 0.1 * rng.normal(size=truth.shape), 0, 1), truth


def test_psnr_of_a_known_error():
    truth = np.full((8, 9, 3), 0.5)
    assert psnr(truth + 0.1, truth) == pytest.approx(20)
    assert psnr(truth, truth) == 100
    half = np.zeros((8, 9), bool)
    half[:4] = True
    picture = truth + 0.01
    picture[4:] += 5
    assert psnr(picture, truth, half) == pytest.approx(40)
    assert math.isnan(psnr(picture, truth, np.zeros((8, 9), bool)))


def test_psnr_of_float32_pictures_is_computed_in_double():
    picture, truth = (value.astype(np.float32) for value in pictures())
    wide = psnr(picture.astype(np.float64), truth.astype(np.float64))
    assert psnr(picture, truth) == pytest.approx(wide, abs=1e-9)


def scipy_ssim(picture, truth):
    """The formula with scipy's Gaussian of the same 11 taps, edges cut off."""

    def blurred(values):
        return gaussian_filter(values, (1.5, 1.5, 0), truncate=3.5)

    mean_a, mean_b = blurred(picture), blurred(truth)
    variance_a = blurred(picture**2) - mean_a**2
    variance_b = blurred(truth**2) - mean_b**2
    covariance = blurred(picture * truth) - mean_a * mean_b
    values = (2 * mean_a * mean_b + 0.01**2) * (2 * covariance + 0.03**2)
    values /= (mean_a**2 + mean_b**2 + 0.01**2) * (variance_a + variance_b + 0.03**2)
    return values[5:-5, 5:-5].mean(axis=2)


def test_ssim_is_the_formula():
    picture, truth = pictures()
    expected = scipy_ssim(picture, truth)
    np.testing.assert_allclose(ssim_map(picture, truth), expected, atol=1e-12)
    assert ssim(picture, truth) == pytest.approx(expected.mean())
    assert ssim(truth, truth) == 1
    mask = np.zeros(truth.shape[:2], bool)
    mask[10:20, 7:30] = True
    assert ssim(picture, truth, mask) == pytest.approx(expected[5:15, 2:25].mean())


@pytest.mark.parametrize("place", [(0, 0), (39, 32), (20, 16), (2, 30)])
def test_ssim_of_pictures_that_differ_in_one_spot(place):
    """Only the box that differs is worked on, and the rest is exactly 1."""
    _, truth = pictures()
    picture = truth.copy()
    picture[place] = 1 - picture[place]
    np.testing.assert_allclose(ssim_map(picture, truth), scipy_ssim(picture, truth), atol=1e-12)


def test_ssim_of_a_picture_smaller_than_its_window_is_not_known():
    truth = np.zeros((10, 50, 3))
    assert math.isnan(ssim(truth + 1, truth))


def test_acceleration_sees_unrest_and_no_steady_motion():
    rows = list(range(10))
    steady = np.arange(10.0)[:, None, None] * (2.0, 1.0) + np.zeros((10, 3, 2))
    assert acceleration(rows, steady) == pytest.approx(0, abs=1e-12)
    shaking = steady.copy()
    shaking[::2, :, 0] += 1
    assert acceleration(rows, shaking) == pytest.approx(2)
    # A gap between the rows is no motion.
    assert acceleration([0, 1, 2, 50, 51, 52], 100 * np.arange(6.0)[:, None, None] ** 0) == 0
    assert math.isnan(acceleration([0, 1, 5], steady[:3]))


def test_acceleration_leaves_out_frames_whose_lids_move():
    closure = np.zeros(12)
    closure[5] = 1.0  # one frame of a blink
    places = closure[:, None, None] * np.ones((12, 3, 2))
    assert acceleration(range(12), places) > 0.1
    assert acceleration(range(12), places, closure) == 0
    assert acceleration(range(12), places, 0.04 * closure) > 0.1
    assert math.isnan(acceleration(range(12), places, np.arange(12.0)))


def test_flicker_compares_changes_inside_the_head_of_neighbours():
    head = np.zeros((6, 6), bool)
    head[2:4] = True
    truth = np.zeros((6, 6, 3))
    flicker = Flicker()
    for row in range(4):
        picture = truth.copy()
        picture[2:4] = 0.1 * (row % 2)
        picture[:2] = np.random.default_rng(row).random((2, 6, 3))  # outside: nobody's business
        flicker.add(row, picture, truth, head)
    assert flicker.means() == pytest.approx((25.5, 0, 25.5))
    alone = Flicker()
    alone.add(3, truth, truth, head)
    alone.add(7, truth, truth, head)
    assert all(math.isnan(value) for value in alone.means())
