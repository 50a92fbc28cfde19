"""Pictures of a bust for docs/images, from a Python with bpy 5.3:

    .venv-blender-5.3/bin/python .ci/bust_pictures_in_blender.py turn OUT.jpg [BUST.egs VOICE.wav]
    .venv-blender-5.3/bin/python .ci/bust_pictures_in_blender.py rig OUT.jpg [BUST.egs VOICE.wav]

turn     baked: still, then turned by keys to either side, up and down, and tilted
rig      in Cycles: on the bones of a rig, which turn chest and head; glasses hang on a landmark

Without an avatar it is the bundled one, which must have a body.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import tempfile
from collections.abc import Sequence
from math import radians
from pathlib import Path
from typing import Any

import bpy
from mathutils import Euler, Matrix
from pictures_in_blender import ROOT, add, load_extension, start_empty
from rows_in_blender import Pixels, over_backdrop, read, write_row

FRAME = 20
SIDE = 260  # pixels of a picture
ASSETS = ROOT / "egstalker_blender" / "assets"
TURNS = ((0, 0, 0), (-25, 0, 0), (25, 0, 0), (0, -15, 0), (0, 15, 0), (0, 0, -15), (0, 0, 15))
NECK, CHEST, CROWN = (0.0, -0.006, -0.044), (0.0, 0.0, -0.2), (0.0, -0.006, 0.13)  # metres
STILL = (0.0, 0.0, 0.0)
LEANING = (0.0, radians(8), radians(-22))
LOOKING_BACK = (radians(8), radians(-8), radians(24))
POSES = ((STILL, STILL), (LEANING, STILL), (LEANING, LOOKING_BACK))  # of chest and head
SAMPLES = 32


def set_the_scene(avatar: Path, voice: Path) -> Any:
    """The bust before the camera that it was filmed with, which stays where it is."""
    load_extension()
    scene = start_empty()
    bpy.ops.egstalker.import_avatar(filepath=str(avatar.absolute()))
    head = bpy.context.object
    bpy.ops.egstalker.link_sound_file(filepath=str(voice.absolute()))
    bpy.ops.egstalker.add_training_camera()
    place = scene.camera.matrix_world.copy()
    scene.camera.parent = None
    scene.camera.matrix_world = place
    scene.render.resolution_x = scene.render.resolution_y = SIDE
    scene.view_settings.view_transform = "Standard"
    bpy.context.view_layer.objects.active = head
    return head


def turn(head: Any, folder: Path) -> list[Pixels]:
    settings = head.egstalker
    settings.camera_source, settings.range_source, settings.pose_source = "scene", "OWN", "keys"
    settings.frame_start = settings.frame_end = FRAME
    settings.output_path = str(folder)
    found = []
    for number, angles in enumerate(TURNS):
        settings.yaw, settings.pitch, settings.roll = (radians(angle) for angle in angles)
        settings.file_stem = f"turn{number}_"
        bpy.ops.egstalker.bake(engine="builtin")
        found.append(read(folder / f"turn{number}_{FRAME:04d}.png"))
    return found


def rig(head: Any, folder: Path) -> list[Pixels]:
    scene, armature = bpy.context.scene, make_rig(head)
    glasses = hang_glasses(head)
    bones = [
        show_bone(armature, "chest", (0.9, 0.45, 0.1)),
        show_bone(armature, "head", (0.1, 0.6, 0.9)),
    ]
    scene.world = bpy.data.worlds.new("light")
    scene.world.color = (0.8, 0.8, 0.8)
    bpy.ops.object.light_add(type="SUN", rotation=(0.7, 0.2, 0.4))
    bpy.context.object.data.energy = 2
    scene.render.engine, scene.render.film_transparent = "CYCLES", True
    scene.cycles.device, scene.cycles.samples = "CPU", SAMPLES
    found = []
    for number, (chest, skull) in enumerate(POSES):
        pose(armature, "chest", chest)
        pose(armature, "head", skull)
        scene.frame_set(FRAME)
        layers = []
        for name, shown in (("bust", [head, *glasses]), ("bones", bones)):
            for obj in [head, *glasses, *bones]:
                obj.hide_render = obj not in shown
            scene.render.filepath = str(folder / f"{name}{number}.png")
            bpy.ops.render.render(write_still=True)
            layers.append(read(folder / f"{name}{number}.png"))
        bust, over = layers
        over[..., 3] *= 0.55
        share = over[..., 3:]
        bust[..., :3] = over_backdrop(bust) * (1 - share) + over[..., :3] * share
        bust[..., 3] = 1
        found.append(bust)
    return found


def make_rig(head: Any) -> Any:
    data = bpy.data.armatures.new("Rig")
    armature = bpy.data.objects.new("Rig", data)
    bpy.context.scene.collection.objects.link(armature)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    chest, skull = data.edit_bones.new("chest"), data.edit_bones.new("head")
    chest.head, chest.tail, skull.head, skull.tail = CHEST, NECK, NECK, CROWN
    skull.parent = chest
    bpy.ops.object.mode_set(mode="OBJECT")
    head.parent, head.parent_type, head.parent_bone = armature, "BONE", "chest"
    bpy.context.view_layer.update()
    head.matrix_world = Matrix()
    settings = head.egstalker
    settings.pose_source, settings.pose_object, settings.pose_bone = "object", armature, "head"
    bpy.context.view_layer.objects.active = head
    return armature


def pose(armature: Any, name: str, angles: Sequence[float]) -> None:
    """Angles about the armature's axes."""
    bone = armature.pose.bones[name]
    rest = bone.bone.matrix_local.to_3x3()
    bone.rotation_mode = "QUATERNION"
    turned = rest.inverted() @ Euler(angles, "YXZ").to_matrix() @ rest
    bone.rotation_quaternion = turned.to_quaternion()


def hang_glasses(head: Any) -> list[Any]:
    scene, settings = bpy.context.scene, head.egstalker
    scene.frame_start = scene.frame_end = FRAME
    settings.landmarks = {"bridge"}
    bpy.ops.egstalker.landmark_empties()
    bridge = next(obj for obj in head.children if obj.get("egstalker_landmark") == "bridge")
    parts = []
    for side in (-1, 1):
        ring = {"major_radius": 0.022, "minor_radius": 0.0022}
        parts.append(
            add(
                "glass",
                _torus(ring),
                (side * 0.034, -0.012, -0.006),
                (math.pi / 2, 0, 0),
                (0.02,) * 3,
            )
        )
        arm = {"radius": 0.0022, "depth": 0.09}
        parts.append(
            add("arm", _rod(arm), (side * 0.062, 0.032, 0), (math.pi / 2, 0, 0), (0.02,) * 3)
        )
    parts.append(
        add(
            "bridge",
            _rod({"radius": 0.0022, "depth": 0.024}),
            (0, -0.012, -0.003),
            (0, math.pi / 2, 0),
            (0.02,) * 3,
        )
    )
    for part in parts:
        part.parent = bridge
    bpy.context.view_layer.objects.active = head
    return parts


def _torus(options: dict[str, float]) -> Any:
    return lambda **place: bpy.ops.mesh.primitive_torus_add(**options, **place)


def _rod(options: dict[str, float]) -> Any:
    return lambda **place: bpy.ops.mesh.primitive_cylinder_add(**options, **place)


def show_bone(armature: Any, name: str, colour: Sequence[float]) -> Any:
    """A bone's shape as Blender draws it, as a mesh that follows it."""
    length = armature.data.bones[name].length
    wide = 0.1 * length
    shape = add(name, bpy.ops.mesh.primitive_cone_add, (0, 0, 0), (0, 0, 0), colour)
    corners = [
        (0, 0, 0),
        *((x, wide, z) for x, z in ((wide, wide), (-wide, wide), (-wide, -wide), (wide, -wide))),
        (0, length, 0),
    ]
    sides = [(a, b, b % 4 + 1) for a in (0, 5) for b in range(1, 5)]
    shape.data.clear_geometry()
    shape.data.from_pydata(corners, [], sides)
    shape.parent, shape.parent_type, shape.parent_bone = armature, "BONE", name
    shape.matrix_parent_inverse = Matrix.Translation((0, -length, 0))
    return shape


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="bust_pictures_in_blender.py", description=__doc__)
    parser.add_argument("picture", choices=("turn", "rig"))
    parser.add_argument("out", type=Path)
    parser.add_argument("avatar", type=Path, nargs="?", default=ASSETS / "demo.egs")
    parser.add_argument("voice", type=Path, nargs="?", default=ASSETS / "demo.wav")
    args = parser.parse_args(argv)
    head = set_the_scene(args.avatar, args.voice)
    with tempfile.TemporaryDirectory() as folder:
        pictures = {"turn": turn, "rig": rig}[args.picture](head, Path(folder))
        write_row(args.out, pictures)
    return 0 if args.out.is_file() else 1


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(code)  # Blender can hang at exit
