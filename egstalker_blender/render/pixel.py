"""How wide a pixel of the scene's camera is at a head, for splats as wide as a bake draws them."""

from __future__ import annotations

from typing import Any

from ...core.errors import CameraError
from ...core.render.footprint import PixelWidth, orthographic_pixel, perspective_pixel
from ..camera import fitted_side, render_size, scene_camera, unit_of, world_of


def pixel_width(scene: Any, depsgraph: Any, obj: Any) -> PixelWidth | None:
    """In the head's frame of the avatar `obj`, at the render's resolution, borders or not. None
    where there is no single one: without a camera, with a panoramic one, for an avatar that is
    scaled unevenly or has several instances."""
    camera, size = scene.camera, render_size(scene)
    if camera is None or camera.type != "CAMERA":
        return None
    try:
        if camera.data.type == "PERSP":
            return perspective_pixel(scene_camera(scene, depsgraph, obj, size))
        if camera.data.type == "ORTHO":
            data = camera.evaluated_get(depsgraph).data
            ratio = scene.render.pixel_aspect_y / scene.render.pixel_aspect_x
            width = data.ortho_scale / fitted_side(data.sensor_fit, size, ratio)
            square = width * ratio**0.5  # of the same area
            return orthographic_pixel(square / unit_of(world_of(depsgraph, obj)))
    except CameraError:
        return None
    return None
