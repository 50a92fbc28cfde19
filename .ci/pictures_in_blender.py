"""Pictures of Blender's own render for docs/images, from a Python with bpy:

    .venv-blender-4.5/bin/python .ci/pictures_in_blender.py layer OUT.jpg
    .venv-blender-5.3/bin/python .ci/pictures_in_blender.py usdc OUT.jpg

layer    the render layer: the bundled avatar among meshes, in Cycles
render   Blender's own splats of it, in Cycles and in EEVEE
relight  the same in Cycles, lit by the lamp of the scene
usdc     its exported .usdc, played by a Blender that has not loaded the extension, in Cycles
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import bpy
from rows_in_blender import QUALITY, read, write_row

ROOT = Path(__file__).resolve().parents[1]
SIZE = (480, 360)
FRAMES = (20, 32)  # of the .usdc
FRAME = 20
SAMPLES = {"CYCLES": 24, "BLENDER_EEVEE": 24}


def load_extension() -> None:
    path = ROOT / "egstalker_blender" / "batch.py"
    spec = importlib.util.spec_from_file_location("egstalker_batch", path)
    assert spec is not None
    assert spec.loader is not None
    batch = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(batch)
    batch.load_extension()


def add(name: str, mesh: Any, place: Sequence[float], turn: Sequence[float], colour: Any) -> Any:
    """`mesh` is an operator that adds an object."""
    mesh(location=place, rotation=turn)
    obj = bpy.context.object
    obj.name = name
    material = bpy.data.materials.new(name)
    material.diffuse_color = (*colour, 1.0)
    if bpy.app.version < (5, 0):
        material.use_nodes = True  # always, since 5.0
    shader = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    shader.inputs["Base Color"].default_value = (*colour, 1.0)
    shader.inputs["Roughness"].default_value = 0.35
    obj.data.materials.append(material)
    return obj


def set_the_scene() -> None:
    """Glasses and a microphone before a head at the origin, a wall behind it, a lamp."""
    ops, right = bpy.ops.mesh, math.pi / 2
    ring = partial(ops.primitive_torus_add, major_radius=0.024, minor_radius=0.0025)
    for x in (-0.03, 0.03):
        add("glass", ring, (x, -0.1, 0.02), (right, 0, 0), (0.02, 0.02, 0.03))
    add("stand", ops.primitive_cylinder_add, (0.1, -0.2, -0.2), (0, 0, 0), (0.1, 0.1, 0.1))
    bpy.context.object.scale = (0.006, 0.006, 0.12)
    add("microphone", ops.primitive_uv_sphere_add, (0.1, -0.2, -0.07), (0, 0, 0), (0.2, 0.2, 0.22))
    bpy.context.object.scale = (0.022, 0.022, 0.03)
    add("wall", ops.primitive_plane_add, (0, 0.35, 0), (right, 0, 0), (0.25, 0.4, 0.55))
    bpy.ops.object.light_add(type="AREA", location=(-0.8, -1.0, 0.8), rotation=(0.9, 0, -0.7))
    lamp = bpy.context.object.data
    lamp.energy, lamp.size = 25, 0.3
    bpy.ops.object.camera_add(location=(0.25, -0.95, 0.05), rotation=(1.53, 0, 0.25))
    scene = bpy.context.scene
    scene.camera = bpy.context.object
    scene.camera.data.lens = 85
    world = bpy.data.worlds.new("grey")
    world.color = (0.25, 0.25, 0.25)
    scene.world = world


def render(out: Path, engine: str = "CYCLES") -> None:
    scene = bpy.context.scene
    scene.render.engine = engine
    scene.cycles.device, scene.cycles.use_denoising = "CPU", False
    scene.cycles.samples = scene.eevee.taa_render_samples = SAMPLES[engine]
    scene.eevee.shadow_pool_size = scene.eevee.gi_irradiance_pool_size = "64"  # enough
    scene.render.resolution_x, scene.render.resolution_y = SIZE
    scene.view_settings.view_transform = "Standard"
    settings = scene.render.image_settings
    settings.file_format, settings.quality = ("JPEG" if out.suffix == ".jpg" else "PNG"), QUALITY
    scene.render.filepath = str(out.absolute())
    bpy.ops.render.render(write_still=True)


def start_empty() -> Any:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.fps = 25
    return scene


def head_among_meshes() -> None:
    """The bundled avatar, active, at its frame."""
    load_extension()
    scene = start_empty()
    bpy.ops.egstalker.add_talking_head()
    head = bpy.context.object
    set_the_scene()
    bpy.context.view_layer.objects.active = head
    scene.frame_set(FRAME)


def layer(out: Path) -> None:
    head_among_meshes()
    bpy.ops.egstalker.add_render_layer()
    render(out)


def native(out: Path) -> None:
    head_among_meshes()
    pictures = []
    with tempfile.TemporaryDirectory() as folder:
        for engine in SAMPLES:
            path = Path(folder) / f"{engine}.png"
            render(path, engine)
            pictures.append(read(path))
    write_row(out, pictures)


def relight(out: Path) -> None:
    head_among_meshes()
    bpy.ops.egstalker.add_material()
    group = next(group for group in bpy.data.node_groups if "egstalker_material" in group)
    node = next(
        node
        for material in bpy.data.materials
        for node in material.node_tree.nodes
        if node.type == "GROUP" and node.node_tree == group
    )
    node.inputs["Relight"].default_value = 0.75
    render(out)


def usdc(out: Path) -> None:
    """This Blender imports what another one has exported."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "head.usdc"
        subprocess.run([sys.executable, __file__, "export", str(file)], check=True)
        start_empty()
        bpy.ops.wm.usd_import(filepath=str(file))
        set_the_scene()
        bpy.context.scene.frame_set(FRAME)
        render(out)


def export(out: Path) -> None:
    load_extension()
    scene = start_empty()
    bpy.ops.egstalker.add_talking_head()
    scene.frame_start, scene.frame_end = FRAMES
    bpy.ops.egstalker.export_usdc(filepath=str(out), sh_degree=0)


PICTURES = {"layer": layer, "render": native, "relight": relight, "usdc": usdc, "export": export}


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="pictures_in_blender.py", description=__doc__)
    parser.add_argument("picture", choices=PICTURES)
    parser.add_argument("out", type=Path)
    args = parser.parse_args(argv)
    PICTURES[args.picture](args.out)
    return 0 if args.out.is_file() else 1


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(code)  # Blender can hang at exit
