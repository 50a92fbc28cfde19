"""The background behind the head."""

from __future__ import annotations

import numpy as np
import pytest

from core.records.avatar import Background
from core.render.background import background_of
from tests.support.render_scenes import camera


def images(width: int = 40, height: int = 30) -> Background:
    random = np.random.default_rng(4)
    torso = random.integers(0, 256, (height, width, 4), np.uint8)
    return Background(random.integers(0, 256, (height, width, 3), np.uint8), torso)


def composed(given: Background) -> np.ndarray:
    assert given.torso is not None
    torso, background = given.torso / np.float32(255), given.image / np.float32(255)
    return torso[..., :3] * torso[..., 3:] + background * (1 - torso[..., 3:])


def test_own_size_is_exact() -> None:
    given = images()
    image = background_of(given, camera(40, 30))
    assert image.dtype == np.float32
    assert np.array_equal(image, composed(given))
    bare = Background(given.image)
    assert np.array_equal(background_of(bare, camera(40, 30)), given.image / np.float32(255))


def test_sides_are_cropped_or_go_on() -> None:
    given = images()
    own = composed(given)
    assert np.allclose(background_of(given, camera(20, 30)), own[:, 10:30], atol=1e-6)
    wide = background_of(given, camera(60, 30))
    assert np.allclose(wide[:, 10:50], own, atol=1e-6)
    assert np.allclose(wide[:, :10], own[:, :1], atol=1e-6)
    assert np.allclose(wide[:, 50:], own[:, -1:], atol=1e-6)


@pytest.mark.parametrize("size", [(40, 60), (97, 61), (20, 15), (7, 5), (1, 1)])
def test_a_slope_stays_where_the_camera_looks(size: tuple[int, int]) -> None:
    """A plate that grows evenly to the right and down still does, at the place that
    Camera.resized gives it; only at the edges is it held."""
    y, x = np.mgrid[:30, :40]
    background = np.stack([x * 6, y * 8, x * 0], axis=-1).astype(np.uint8)
    width, height = size
    image = background_of(Background(background), camera(width, height)) * 255
    step = 30 / height
    columns = (np.arange(width) + 0.5 - width / 2) * step + 20 - 0.5
    rows = (np.arange(height) + 0.5) * step - 0.5
    inner_x = (columns > step) & (columns < 39 - step)
    inner_y = (rows > step) & (rows < 29 - step)
    assert np.allclose(image[:, inner_x, 0], columns[inner_x] * 6, atol=1e-2)
    assert np.allclose(image[inner_y, :, 1], rows[inner_y, None] * 8, atol=1e-2)
    assert image.min() >= 0
    assert image.max() <= 255


def test_reduced_stripes_become_their_mean() -> None:
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[::2] = 255
    image = background_of(Background(stripes), camera(8, 8))
    assert np.abs(image[1:-1] - 0.5).max() < 0.01


def test_kept_pictures_cannot_be_written_to() -> None:
    given = images()
    image = background_of(given, camera(41, 30))
    assert background_of(given, camera(41, 30)) is image
    with pytest.raises(ValueError, match="read-only"):
        image[0, 0, 0] = 1
