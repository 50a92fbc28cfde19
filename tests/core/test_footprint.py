"""Splats for renderers without a low-pass filter: they show what our rasterisers show."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core.metrics.pictures import psnr
from core.records.camera import Camera
from core.render import projection
from core.render.footprint import dilated, orthographic_pixel, perspective_pixel
from core.render.numpy.tiles import rasterise
from tests.support.render_scenes import camera, head


def small() -> Camera:
    """Gaussians are thinner than its pixels."""
    return camera(40, 32)


def without_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projection, "DILATION", 0.0)


def test_they_are_drawn_as_a_rasteriser_draws_them(monkeypatch: pytest.MonkeyPatch) -> None:
    splats, seen_by = head(), small()
    wanted = rasterise(splats, seen_by)
    ready = dilated(splats, perspective_pixel(seen_by))
    without_filter(monkeypatch)
    assert psnr(rasterise(splats, seen_by), wanted) < 28
    assert psnr(rasterise(ready, seen_by), wanted) > 55
    assert ready.opacities is splats.opacities and ready.sh is splats.sh


def test_the_width_follows_the_depth() -> None:
    splats, seen_by = head(50), small()
    depth = splats.means @ seen_by.viewmat[2, :3] + seen_by.viewmat[2, 3]
    added = np.square(dilated(splats, perspective_pixel(seen_by)).scales) - splats.scales**2
    np.testing.assert_allclose(added, 0.3 * np.tile(depth[:, None] / seen_by.fx, 3) ** 2, rtol=1e-3)
    added = np.square(dilated(splats, orthographic_pixel(0.02)).scales) - splats.scales**2
    np.testing.assert_allclose(added, 0.3 * 0.02**2, rtol=1e-3)


def test_what_is_behind_the_camera_stays() -> None:
    splats, seen_by = head(50), small()
    behind = replace(splats, means=splats.means + np.float32([0, 0, 100]))
    np.testing.assert_allclose(dilated(behind, perspective_pixel(seen_by)).scales, splats.scales)


def test_of_oblong_pixels_the_area_counts() -> None:
    seen_by = small()
    oblong = replace(seen_by, fx=seen_by.fx / 2, fy=seen_by.fy * 2)
    np.testing.assert_allclose(perspective_pixel(oblong), perspective_pixel(seen_by))
