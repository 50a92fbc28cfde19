"""Splats are handed to Blender's render as wide as a bake draws them, for the scene's camera."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
import pytest
from egstalker.egstalker_blender.render import native, native_handlers, pixel
from mathutils import Matrix
from numpy.typing import NDArray

from core.render.rasteriser import DILATION
from tests.support.blender_native import needs_splats, splats_of

WIDTH, HEIGHT = 80, 60


@pytest.fixture
def shot(head: Any, scene: Any) -> Any:
    """The avatar at the origin, ten metres before a camera."""
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    scene.collection.objects.link(camera)
    camera.matrix_world = Matrix.Translation((0, -10, 0)) @ Matrix.Rotation(np.pi / 2, 4, "X")
    camera.data.lens = camera.data.sensor_width = 36
    scene.camera = camera
    scene.render.resolution_x, scene.render.resolution_y = WIDTH, HEIGHT
    scene.frame_set(2)
    return head


def width(scene: Any, obj: Any, place: tuple[float, float, float] = (0, 0, 0)) -> float:
    """Decimetres, at a place of the head's frame."""
    found = pixel.pixel_width(scene, bpy.context.evaluated_depsgraph_get(), obj)
    assert found is not None
    return float(found @ [*place, 1])


def test_a_pixel_is_wider_where_it_is_further_away(shot: Any, scene: Any) -> None:
    assert width(scene, shot) == pytest.approx(100 / WIDTH, rel=1e-4)
    assert width(scene, shot, (5, 5, 40)) == pytest.approx(60 / WIDTH, rel=1e-4)
    shot.scale = (2, 2, 2)  # the head's decimetres are twice as long
    assert width(scene, shot) == pytest.approx(50 / WIDTH, rel=1e-4)
    scene.render.resolution_percentage = 50
    assert width(scene, shot) == pytest.approx(100 / WIDTH, rel=1e-4)
    scene.render.use_border = scene.render.use_crop_to_border = True
    scene.render.border_max_x = 0.3
    assert width(scene, shot) == pytest.approx(100 / WIDTH, rel=1e-4)
    scene.camera.data.lens = 72
    assert width(scene, shot) == pytest.approx(50 / WIDTH, rel=1e-4)


def test_an_orthographic_pixel_has_one_width(shot: Any, scene: Any) -> None:
    data = scene.camera.data
    data.type, data.ortho_scale = "ORTHO", 4
    for place in ((0, 0, 0), (3, 1, 30)):
        assert width(scene, shot, place) == pytest.approx(40 / WIDTH)
    data.sensor_fit = "VERTICAL"
    assert width(scene, shot) == pytest.approx(40 / HEIGHT)
    scene.render.pixel_aspect_y = 4  # as tall as four: an area of 4 has sides of 2
    assert width(scene, shot) == pytest.approx(40 / HEIGHT / 4 * 2)


def test_where_there_is_no_single_width_there_is_none(shot: Any, scene: Any) -> None:
    def found() -> Any:
        return pixel.pixel_width(scene, bpy.context.evaluated_depsgraph_get(), shot)

    scene.camera.data.type = "PANO"
    assert found() is None
    scene.camera.data.type = "PERSP"
    shot.scale.x = 3
    assert found() is None
    shot.scale.x = 1
    camera, scene.camera = scene.camera, None
    assert found() is None
    scene.camera = shot  # Blender renders from any object
    assert found() is None
    scene.camera = camera
    assert found() is not None


@needs_splats
def test_the_cloud_is_widened_for_the_camera_of_each_frame(
    shot: Any, scene: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(native, "separate", lambda: 0)  # as if the copy below were linked
    render = native_handlers.Render()

    def variances() -> NDArray[np.float32]:
        render.hand_over(scene, bpy.context.evaluated_depsgraph_get())
        return np.square(splats_of(native.cloud_of(shot))["scale"])

    camera, scene.camera = scene.camera, None
    plain = variances()
    scene.camera = camera
    camera.data.type, camera.data.ortho_scale = "ORTHO", 4
    for scale in (4, 2):  # the same moment, another camera
        camera.data.ortho_scale = scale
        wanted = DILATION * (10 * scale / WIDTH) ** 2
        np.testing.assert_allclose(variances() - plain, wanted, rtol=1e-3)
    twin = shot.copy()
    scene.collection.objects.link(twin)  # one cloud, which may be at two distances
    np.testing.assert_array_equal(variances(), plain)
