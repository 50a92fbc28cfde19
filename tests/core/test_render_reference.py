"""The oracle compared with arithmetic by hand and with a second version of the rules."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from core.errors import ArgumentError
from core.records.camera import Camera
from core.records.gaussians import Splats
from core.render.reference import rasterise
from core.render.sh import terms
from tests.support.render_scenes import (
    HEIGHT,
    WIDTH,
    camera,
    decibels,
    head,
    noise,
    round_splats,
    splats,
)


def front(width: int = 33, height: int = 33, focal: float = 100.0) -> Camera:
    """At the origin, looking along z."""
    return Camera(np.eye(4), focal, focal, width / 2, height / 2, width, height)


def test_one_gaussian_by_hand() -> None:
    """At depth 2 a radius of 0.04 is 2 pixels, 4.3 square pixels with the dilation."""
    image = rasterise(round_splats([[0, 0, 2]], 0.04, 0.5, [0.8]), front())
    assert image.dtype == np.float32
    assert image.shape == (33, 33, 4)
    expected = 0.5 * math.exp(-0.5 * 9 / 4.3)
    for y, x in ((16, 19), (16, 13), (19, 16), (13, 16)):
        assert image[y, x, 3] == pytest.approx(expected, rel=1e-5)
        assert image[y, x, :3] == pytest.approx([0.8 * expected] * 3, rel=1e-5)
    assert image[16, 16, 3] == pytest.approx(0.5)


def test_alpha_below_one_255th_is_not_drawn() -> None:
    image = rasterise(round_splats([[0, 0, 2]], 0.04, 0.5), front())
    reach = math.sqrt(2 * 4.3 * math.log(0.5 * 255))  # 6.46 pixels
    row = image[16, :, 3]
    assert row[16 + int(reach)] >= 1 / 255
    assert row[16 + int(reach) + 1] == 0


def test_nothing_is_drawn_at_or_before_the_near_plane() -> None:
    def alpha(depth: float) -> float:
        return float(rasterise(round_splats([[0, 0, depth]], 0.001, 0.5), front())[..., 3].max())

    assert alpha(-1) == 0
    assert alpha(0.1) == 0
    assert alpha(0.2) == 0
    assert alpha(float(np.nextafter(np.float32(0.2), np.float32(1)))) > 0.4


def test_alpha_is_limited_to_099() -> None:
    image = rasterise(round_splats([[0, 0, 2]], 0.04, 1.0), front())
    assert image[..., 3].max() == np.float32(0.99)


def test_the_gaussian_that_would_end_a_pixel_is_not_drawn() -> None:
    """Two layers of 0.99 leave just under 1e-4 in float32 constants: the second stays away, and the
    faint third, which alone would fit, must not appear behind the stop."""
    layers = round_splats([[0, 0, 2], [0, 0, 3], [0, 0, 4]], 0.5, 1.0, [0.2, 0.9, 0.9])
    layers = replace(layers, opacities=np.float32([1, 1, 0.1]))
    image = rasterise(layers, front(3, 3))
    assert image[1, 1, 3] == np.float32(0.99)
    assert image[1, 1, 0] == pytest.approx(0.2 * 0.99)


def test_near_covers_far_whatever_the_order_of_the_file() -> None:
    means = [[0, 0, 4], [0, 0, 2]]
    image = rasterise(round_splats(means, 0.5, 0.9, [0.1, 1.0]), front(3, 3))
    assert image[1, 1, 0] == pytest.approx(0.9 * 1.0 + 0.1 * 0.9 * 0.1, rel=1e-3)


def test_equal_depths_keep_the_order_of_the_file() -> None:
    image = rasterise(round_splats([[0, 0, 2]] * 2, 0.5, 0.9, [0.1, 1.0]), front(3, 3))
    assert image[1, 1, 0] == pytest.approx(0.9 * 0.1 + 0.1 * 0.9 * 1.0, rel=1e-3)


def test_whole_tiles_are_drawn_and_no_other() -> None:
    """The square of ceil(3 sigma) around the centre is rounded out to tiles: beyond them nothing is
    drawn, however visible; within them what lies further than 3 sigma is. Here sigma is 10 pixels,
    so the square reaches 31, and at full opacity 33 pixels are visible."""

    def row(column: float) -> np.ndarray:
        one = round_splats([[(column + 0.5 - 32) / 50, 0, 2]], 0.2, 1.0)
        return rasterise(one, front(64, 64))[31, :, 3]

    cut = row(16.9)  # to 47.9
    assert cut[47] > 0
    assert cut[48:].max() == 0
    rounded_out = row(18.1)  # to 49.1, which takes in the tile from 48 to 64
    assert rounded_out[51] > 0
    assert rounded_out[52:].max() == 0


def test_background_shines_through() -> None:
    background = noise(33, 33)
    scene = round_splats([[0, 0, 2]], 0.04, 0.5, [0.8])
    bare, laid = rasterise(scene, front()), rasterise(scene, front(), background)
    assert np.allclose(laid[..., :3], bare[..., :3] + (1 - bare[..., 3:]) * background, atol=1e-6)
    assert (laid[..., 3] == 1).all()
    assert np.array_equal(rasterise(head(0), front(), background)[..., :3], background)
    assert (rasterise(head(0), front()) == 0).all()


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_against_the_rules_written_a_second_way(degree: int) -> None:
    """Pixel by pixel, matrices instead of formulas: the same picture to 1e-6."""
    scene, view, background = head(60, seed=2), camera(40, 23), noise(40, 23)
    scene = replace(scene, scales=scene.scales * 5)
    assert (
        np.abs(
            rasterise(scene, view, background, degree) - slowly(scene, view, background, degree)
        ).max()
        < 1e-6
    )


def slowly(scene: Splats, view: Camera, background: np.ndarray, degree: int) -> np.ndarray:
    drawn = []
    world = view.viewmat[:3, :3]
    for mean, (w, *q), scale, opacity, sh in zip(
        *(
            np.float64(v)
            for v in (scene.means, scene.quats, scene.scales, scene.opacities, scene.sh)
        ),
        strict=True,
    ):
        cross = np.array([[0, -q[2], q[1]], [q[2], 0, -q[0]], [-q[1], q[0], 0]])
        turn = np.eye(3) + 2 * w * cross + 2 * cross @ cross
        x, y, z = view.viewmat[:3] @ [*mean, 1]
        jacobian = [[view.fx / z, 0, -view.fx * x / z**2], [0, view.fy / z, -view.fy * y / z**2]]
        to_picture = jacobian @ world @ turn
        covariance = to_picture @ np.diag(scale**2) @ to_picture.T + 0.3 * np.eye(2)
        centre = np.array([view.fx * x / z + view.cx, view.fy * y / z + view.cy])
        radius = math.ceil(3 * math.sqrt(np.linalg.eigvalsh(covariance)[1]))
        low = np.floor((centre - 0.5 - radius) / 16) * 16
        high = np.floor((centre - 0.5 + radius + 15) / 16) * 16
        away = mean - view.centre
        away /= np.linalg.norm(away)
        colour = np.maximum(np.float64(terms(*away, degree)) @ sh[: (degree + 1) ** 2] + 0.5, 0)
        drawn.append((z, centre, np.linalg.inv(covariance), low, high, opacity, colour))
    drawn.sort(key=lambda entry: entry[0])
    image = np.ones((view.height, view.width, 4))
    for row, column in np.ndindex(view.height, view.width):
        left, total, pixel = 1.0, np.zeros(3), np.array([column, row])
        for _, centre, inverse, low, high, opacity, colour in drawn:
            if (pixel < low).any() or (pixel >= high).any():
                continue
            offset = pixel + 0.5 - centre
            alpha = min(0.99, opacity * math.exp(-0.5 * offset @ inverse @ offset))
            if alpha < 1 / 255:
                continue
            if left * (1 - alpha) < 1e-4:
                break
            total += left * alpha * colour
            left *= 1 - alpha
        image[row, column, :3] = total + left * background[row, column]
    return image


def test_spherical_harmonics_are_orthonormal_with_the_trained_signs() -> None:
    """Gauss-Legendre in height and even steps around integrate degree 6 exactly."""
    heights, weights = np.polynomial.legendre.leggauss(8)
    around = np.arange(16) * 2 * np.pi / 16
    z, angle = (grid.ravel() for grid in np.meshgrid(heights, around, indexing="ij"))
    ring = np.sqrt(1 - z * z)
    basis = np.stack(terms(ring * np.cos(angle), ring * np.sin(angle), z, 3))
    area = np.repeat(weights, 16) * 2 * np.pi / 16
    assert np.allclose(basis * area @ basis.T, np.eye(16), atol=1e-12)
    x, y, z = 0.48, 0.6, 0.64
    signs = np.sign(terms(x, y, z, 3)).astype(int).tolist()
    assert signs == [1, -1, 1, -1, 1, -1, 1, -1, -1, -1, 1, -1, -1, -1, -1, 1]


def test_clamped_jacobian_beside_the_picture() -> None:
    """Far beside the picture the slope is held at 1.3 tan(fov / 2): without it this Gaussian would
    be stretched a hundred pixels into the picture."""
    beside = splats([[4, 0, 0.5]], [[0.02, 0.02, 1.0]], [[1, 0, 0, 0]], [0.9], head(1).sh)
    assert rasterise(beside, front())[..., 3].max() == 0


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ArgumentError, match="degree 4"):
        rasterise(head(1), camera(), None, 4)
    with pytest.raises(ArgumentError, match=r"\(61, 96, 3\).*\(61, 97, 3\)"):
        rasterise(head(1), camera(), noise(WIDTH - 1, HEIGHT))


def test_decibels() -> None:
    assert decibels(np.full(4, 0.01), np.zeros(4)) == pytest.approx(40)
    assert decibels(np.zeros(4), np.zeros(4)) == math.inf
