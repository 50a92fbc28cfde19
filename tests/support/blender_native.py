"""Helpers of the tests of Blender's own render of a head. Pictures are small, from Cycles on the
CPU with a few samples."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.blender import ROOT, clean_environment, names, python_here, read_pixels

LIMIT = 120.0  # seconds for a Blender of its own
RENDER = """
import importlib.util
import bpy
spec = importlib.util.spec_from_file_location("batch", {batch!r})
batch = importlib.util.module_from_spec(spec)
spec.loader.exec_module(batch)
batch.load_extension()
bpy.ops.wm.open_mainfile(filepath={blend!r})
bpy.context.scene.render.filepath = {out!r}
bpy.ops.render.render(animation=True)
print("reached the end")
"""
SUPPORTED = bpy.app.version >= (5, 3, 0)
needs_splats = pytest.mark.skipif(
    not SUPPORTED, reason="Blender renders Gaussian splats from version 5.3 on"
)

EEVEE = "BLENDER_EEVEE" if bpy.app.version >= (5, 0) else "BLENDER_EEVEE_NEXT"
ENGINES = ("CYCLES", "BLENDER_WORKBENCH", EEVEE)


def prepare(scene: Any, samples: int = 4, transparent: bool = True) -> None:
    """Cycles at the scene's size, pictures as PNG without a view transform."""
    render, cycles = scene.render, scene.cycles
    render.engine = "CYCLES"
    cycles.device, cycles.samples = "CPU", samples
    cycles.use_adaptive_sampling = cycles.use_denoising = False
    render.film_transparent, render.dither_intensity = transparent, 0.0
    scene.view_settings.view_transform = "Standard"
    render.image_settings.file_format = "PNG"
    render.image_settings.color_mode = "RGBA"


def use_engine(scene: Any, engine: str, samples: int) -> None:
    """samples: of Cycles and EEVEE. EEVEE without what takes long without a GPU and no test
    needs."""
    scene.render.engine, scene.cycles.samples = engine, samples
    eevee = scene.eevee
    eevee.taa_render_samples, eevee.use_shadows, eevee.use_raytracing = samples, False, False
    eevee.shadow_pool_size = eevee.gi_irradiance_pool_size = "16"
    flat_workbench(scene)


def flat_workbench(scene: Any) -> None:
    """Splats in their own colours: unlit, times the object's colour, which is white. The other
    colour types darken them to 0.8, Blender's grey for objects without a material."""
    scene.display.shading.light, scene.display.shading.color_type = "FLAT", "OBJECT"
    scene.display.render_aa = "32"


def rendered(scene: Any, path: Path) -> NDArray[np.float32]:
    """(H, W, 4) of the current frame, straight alpha, first row on top."""
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True, scene=scene.name)
    return read_pixels(path)


def animation(scene: Any, folder: Path) -> dict[int, NDArray[np.float32]]:
    """The scene's frames, by number."""
    scene.render.filepath = f"{folder}/a_"
    bpy.ops.render.render(animation=True, scene=scene.name)
    return {int(path.stem[2:]): read_pixels(path) for path in sorted(folder.glob("a_*.png"))}


def over_black(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    return picture[..., :3] * picture[..., 3:]


def decibels(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Of two pictures over black."""
    error = float(np.square(over_black(one) - over_black(other)).mean())
    return -10 * np.log10(max(error, 1e-12))


def timed(scene: Any, path: Path, what: str, wanted: NDArray[np.float32]) -> float:
    """Decibels of a render from what is wanted; prints its line of the table in
    docs/performance.md, with the milliseconds of a second render, when all is loaded and EEVEE's
    shaders are compiled."""
    samples = scene.cycles.samples, scene.eevee.taa_render_samples
    scene.cycles.samples = scene.eevee.taa_render_samples = 1
    rendered(scene, path)
    scene.cycles.samples, scene.eevee.taa_render_samples = samples
    start = time.perf_counter()
    found = decibels(rendered(scene, path), wanted)
    milliseconds = 1000 * (time.perf_counter() - start)
    engine = scene.render.engine.removeprefix("BLENDER_").removesuffix("_NEXT").title()
    version = ".".join(str(part) for part in bpy.app.version[:2])
    print(f"\n| {version} | {what} | {engine} | {found:.1f} | {milliseconds:.0f} |")
    return found


def splats_of(data: Any) -> dict[str, NDArray[np.float32]]:
    """Every attribute of a cloud by its name, (N, width)."""
    found = {}
    for attribute in data.attributes:
        key, width = ("value", 4) if attribute.data_type == "QUATERNION" else ("vector", 3)
        width = 4 if attribute.data_type == "FLOAT4" else width
        if attribute.data_type in {"FLOAT_VECTOR", "FLOAT4", "QUATERNION"}:
            values = np.empty((len(attribute.data), width), np.float32)
            attribute.data.foreach_get(key, values.reshape(-1))
            found[attribute.name] = values
    return found


def add_plane(scene: Any, y: float, size: float = 2.0, x: float = 0.0) -> Any:
    """A plane that faces the camera, at that depth, its left edge at x; metres."""
    mesh = bpy.data.meshes.new("plane")
    corners = [(x, y, -size), (x + size, y, -size), (x + size, y, size), (x, y, size)]
    mesh.from_pydata(corners, [], [(0, 1, 2, 3)])
    obj = bpy.data.objects.new("plane", mesh)
    scene.collection.objects.link(obj)
    return obj


def baked(head: Any, scene: Any, folder: Path) -> NDArray[np.float32]:
    """The current frame by the scene's camera."""
    props = head.egstalker
    props.camera_source, props.range_source, props.output_path = "scene", "OWN", str(folder)
    props.frame_start = props.frame_end = scene.frame_current
    assert bpy.ops.egstalker.bake(engine="builtin") == {"FINISHED"}
    return read_pixels(folder / f"frame_{scene.frame_current:04d}.png")


def check_that_a_failing_frame_ends_blender(shot: Any, folder: Path) -> None:
    """Render frames 2 to 4 in a Blender of its own; in the last one the head is scaled unevenly."""
    for frame, scale in ((2, 1.0), (3, 1.0), (4, 2.0)):
        shot.scale.x = scale
        shot.keyframe_insert("scale", frame=frame)
    # Without the file of frame 4, a render that skips existing ones renders it later.
    render = bpy.context.scene.render
    render.use_overwrite, render.use_placeholder = False, True
    blend, out, script = folder / "shot.blend", folder / "frames", folder / "render.py"
    bpy.ops.wm.save_as_mainfile(filepath=str(blend))
    batch = ROOT / "egstalker_blender" / "batch.py"
    script.write_text(RENDER.format(batch=str(batch), blend=str(blend), out=f"{out}/f_"))
    done = subprocess.run(
        python_here(script),
        env=clean_environment(folder / "profile"),
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "error: frame 4 is not rendered: object 'tiny head' is scaled unevenly" in done.stderr
    assert "reached the end" not in done.stdout
    assert names(out) == ["f_0002.png", "f_0003.png"]
