"""CPU time of a redraw of the demo avatar: sort, upload, draw call.

Run by a Python with bpy: `.venv-blender-5.3/bin/python .ci/bench_viewport_in_blender.py`. One quad
is drawn instead of all, because a software GPU would draw the others on the CPU, too.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import gpu
import graphics
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
SIZE = 512
REPEATS = 50


class OneQuad:
    """A batch that draws one instance, however many are requested."""

    def __init__(self, batch: Any) -> None:
        self._batch = batch

    def draw_instanced(self, shader: Any, instance_start: int, instance_count: int) -> None:
        self._batch.draw_instanced(shader, instance_start=instance_start, instance_count=1)

    def draw(self, shader: Any) -> None:
        self._batch.draw(shader)


def load_extension() -> None:
    spec = importlib.util.spec_from_file_location(
        "egstalker_batch", ROOT / "egstalker_blender" / "batch.py"
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"no batch.py in {ROOT}")
    batch = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(batch)
    batch.load_extension()


def module(name: str) -> Any:
    return importlib.import_module(f"egstalker.{name}")


def open_gpu() -> None:
    os.environ.update(graphics.environ_for_blender(os.environ))
    if hasattr(gpu, "init"):  # since 5.2; before, a small render opens it
        gpu.init()
        return
    scene = bpy.context.scene
    scene.render.engine = "BLENDER_WORKBENCH"
    scene.render.resolution_x = scene.render.resolution_y = 8
    bpy.ops.render.render()


def milliseconds(work: Callable[[], object]) -> float:
    """CPU time of this thread, the median."""
    found = []
    for _ in range(REPEATS):
        start = time.thread_time()
        work()
        found.append(time.thread_time() - start)
    return float(np.median(found)) * 1e3


def main() -> None:
    load_extension()
    open_gpu()
    draw = module("egstalker_blender.viewport.draw")
    entry = module("egstalker_blender.viewport.atlas").Entry
    view_type = module("egstalker_blender.viewport.view").View
    lens_of_camera = module("egstalker_blender.camera").lens_of_camera
    avatar = module("core.avatar.file").load_avatar(
        ROOT / "egstalker_blender" / "assets" / "demo.egs"
    )
    splats = module("core.records.gaussians").activate(avatar.gaussians)
    camera = avatar.camera.resized(SIZE, SIZE)
    focal = 2 * camera.fx / SIZE
    projmat = np.array([[focal, 0, 0, 0], [0, focal, 0, 0], [0, 0, -1.002, -0.2], [0, 0, -1.0, 0]])
    view = view_type(np.linalg.inv(lens_of_camera(camera)[1]), projmat, SIZE, SIZE)
    renderer = draw.Renderer()
    quad = OneQuad(renderer._quad_batch())
    renderer._quad_batch = lambda: quad
    items = [draw.Item(1, np.eye(4))]
    offscreen = gpu.types.GPUOffScreen(SIZE, SIZE)
    versions = iter(range(1, 1_000_000))

    def orbit() -> None:
        renderer.draw(view, items)

    def next_frame() -> None:
        renderer.update([entry(1, next(versions), splats)])
        renderer.draw(view, items)

    with offscreen.bind():
        next_frame()
        print(f"Blender {bpy.app.version_string}, {len(splats)} Gaussians, {SIZE}x{SIZE}")
        print(f"redraw, another view:   {milliseconds(orbit):.2f} ms")
        print(f"redraw, another frame:  {milliseconds(next_frame):.2f} ms")
    sys.stdout.flush()
    os._exit(0)  # Blender as a module can hang at exit


if __name__ == "__main__":
    main()
