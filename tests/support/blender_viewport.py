"""A GPU without a window, and pictures of the draw code."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import bpy
import gpu
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.blender import ROOT

DEMO = ROOT / "egstalker_blender" / "assets" / "demo.egs"
SPEECH = DEMO.with_suffix(".wav")
NEAR, FAR = 0.05, 50.0  # metres


@cache
def gpu_fault() -> str:
    """Why drawing does not work, else empty. Before 5.2, background Blender opens the GPU only to
    render, so a small Workbench picture is rendered first."""
    try:
        if hasattr(gpu, "init"):
            gpu.init()
        else:
            _render_once()
        gpu.platform.backend_type_get()
    except (SystemError, RuntimeError) as error:
        return str(error) or type(error).__name__
    return ""


def _render_once() -> None:
    scene = bpy.data.scenes.new("opens the GPU")
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    scene.collection.objects.link(camera)
    scene.camera = camera
    scene.render.engine = "BLENDER_WORKBENCH"
    scene.render.resolution_x = scene.render.resolution_y = 8
    bpy.ops.render.render(scene=scene.name)
    data = camera.data
    bpy.data.scenes.remove(scene)
    bpy.data.objects.remove(camera)
    bpy.data.cameras.remove(data)


def need_gpu() -> None:
    if gpu_fault():
        pytest.skip(f"needs a GPU or Mesa's software GL (libegl1): {gpu_fault()}")


@cache
def demo() -> Any:
    from egstalker.core.avatar.file import load_avatar

    return load_avatar(DEMO)


@cache
def canonical() -> Any:
    from egstalker.core.records.gaussians import activate

    return activate(demo().gaussians)


@cache
def talking() -> Any:
    """The demo avatar in the middle of its speech."""
    from egstalker.core.audio.features import track_from_waveform
    from egstalker.core.avatar.motion import moment_at
    from egstalker.core.engine.builtin import BuiltinEngine
    from egstalker.egstalker_blender.sound.decode import waveform_of_file

    avatar = demo()
    track = track_from_waveform(waveform_of_file(Path(SPEECH)), avatar.features)
    return BuiltinEngine("numpy").deform(avatar, track, moment_at(avatar, 1.24, "track", 1.0))


def projection(camera: Any, near: float = NEAR, far: float = FAR) -> NDArray[np.float64]:
    """OpenGL's matrix of a core camera."""
    p = np.zeros((4, 4))
    p[0, 0], p[1, 1] = 2 * camera.fx / camera.width, 2 * camera.fy / camera.height
    p[0, 2], p[1, 2] = 1 - 2 * camera.cx / camera.width, 2 * camera.cy / camera.height - 1
    p[2, 2], p[2, 3] = -(far + near) / (far - near), -2 * far * near / (far - near)
    p[3, 2] = -1
    return p


def view_of(camera: Any, world: NDArray[np.float64] | None = None) -> Any:
    """The Blender view that shows an object at `world` as the core camera shows the head."""
    from egstalker.egstalker_blender.camera import lens_of_camera, rotation_and_scale
    from egstalker.egstalker_blender.viewport.view import View

    _, local = lens_of_camera(camera)
    place = (np.eye(4) if world is None else world) @ local
    _, scale = rotation_and_scale(place, "camera")
    place[:3, :3] /= scale
    return View(np.linalg.inv(place), projection(camera), camera.width, camera.height)


def pixels(texture: Any, channels: int = 4) -> NDArray[np.float32]:
    """(H, W, channels) float32, first row on top."""
    buffer = texture.read()
    buffer.dimensions = texture.width * texture.height * channels
    values = np.array(buffer, np.float32)
    return values.reshape(texture.height, texture.width, channels)[::-1]


def blended(splats: Any, view: Any, **item: Any) -> NDArray[np.float32]:
    """(H, W, 4) picture of one head by the renderer, sRGB-encoded and premultiplied."""
    from egstalker.egstalker_blender.viewport.atlas import Entry
    from egstalker.egstalker_blender.viewport.draw import Item, Renderer
    from egstalker.egstalker_blender.viewport.view import place

    world = item.pop("world", np.eye(4))
    rest = item.pop("rest", None)
    renderer = Renderer()
    renderer.update([Entry(1, 1, splats, rest)])
    at = place(view, world)
    target, _ = renderer.blend(view, [(Item(1, world, **item), at)])
    image = pixels(target.colour)
    renderer.release()
    return image


def psnr(a: NDArray[Any], b: NDArray[Any]) -> float:
    return float(-10 * np.log10(np.mean((a.astype(np.float64) - b) ** 2)))
