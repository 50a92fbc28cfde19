"""Cameras of the core against Blender's projection."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from egstalker.core.avatar.file import load_avatar
from egstalker.core.errors import CameraError
from egstalker.core.records.camera import Camera
from egstalker.egstalker_blender.avatars.training_camera import add_camera
from egstalker.egstalker_blender.camera import HEAD_TO_OBJECT, render_size, scene_camera
from mathutils import Euler, Matrix, Vector

SIZES = ((640, 480), (480, 640), (512, 512))


def add_head(scene: Any, matrix: Matrix | None = None) -> Any:
    obj = bpy.data.objects.new("head", bpy.data.meshes.new("head"))
    scene.collection.objects.link(obj)
    obj.matrix_world = matrix or Matrix()
    return obj


def add_scene_camera(scene: Any, matrix: Matrix, **optics: Any) -> Any:
    data = bpy.data.cameras.new("camera")
    for name, value in optics.items():
        setattr(data, name, value)
    camera = bpy.data.objects.new("camera", data)
    scene.collection.objects.link(camera)
    camera.matrix_world = matrix
    scene.camera = camera
    return camera


def ours(scene: Any, obj: Any) -> Camera:
    bpy.context.view_layer.update()
    depsgraph = bpy.context.evaluated_depsgraph_get()
    return scene_camera(scene, depsgraph, obj, render_size(scene))


def project(camera: Camera, points: np.ndarray) -> np.ndarray:
    """(N, 3) head's frame -> (N, 2) pixels from the top left corner."""
    seen = points @ camera.viewmat[:3, :3].T + camera.viewmat[:3, 3]
    pixels = seen @ camera.K.T
    return pixels[:, :2] / pixels[:, 2:]


def blenders(scene: Any, obj: Any, points: np.ndarray) -> np.ndarray:
    width, height = render_size(scene)
    found = []
    for point in points:
        local = HEAD_TO_OBJECT[:3, :3] @ point
        view = world_to_camera_view(scene, scene.camera, obj.matrix_world @ Vector(local))
        found.append((view.x * width, (1 - view.y) * height))
    return np.array(found)


@pytest.mark.parametrize("seed", range(24))
def test_projects_as_blender_does(scene: Any, seed: int) -> None:
    rng = np.random.default_rng(seed)
    render = scene.render
    render.resolution_x, render.resolution_y = SIZES[seed % 3]
    render.resolution_percentage = (100, 50)[seed // 3 % 2]
    render.pixel_aspect_x, render.pixel_aspect_y = ((1, 1), (1.0, 1.5), (2.0, 1.0))[seed // 2 % 3]
    scale = float(rng.uniform(0.5, 3))
    head = Matrix.LocRotScale(
        Vector(rng.uniform(-1, 1, 3)), Euler(rng.uniform(-1, 1, 3)), Vector([scale] * 3)
    )
    obj = add_head(scene, head)
    # Somewhere in front of the face, looking at it, itself scaled (which Blender ignores).
    place = head @ Vector((rng.uniform(-0.2, 0.2), -0.8, rng.uniform(-0.2, 0.2)))
    look = (head.translation - place).to_track_quat("-Z", "Y")
    add_scene_camera(
        scene,
        Matrix.LocRotScale(place, look, Vector([1.7] * 3)),
        sensor_fit=("AUTO", "HORIZONTAL", "VERTICAL")[seed % 3],
        sensor_width=float(rng.uniform(20, 40)),
        sensor_height=float(rng.uniform(15, 30)),
        lens=float(rng.uniform(30, 90)),
        shift_x=float(rng.uniform(-0.2, 0.2)),
        shift_y=float(rng.uniform(-0.2, 0.2)),
    )
    camera = ours(scene, obj)
    points = rng.uniform(-1, 1, (30, 3))
    # Blender's own numbers are float32: about 1e-4 pixels at this size.
    assert np.abs(project(camera, points) - blenders(scene, obj, points)).max() < 1e-3
    rotation = camera.viewmat[:3, :3]
    assert np.abs(rotation @ rotation.T - np.eye(3)).max() < 1e-12


def test_a_scaled_head_is_a_nearer_camera(scene: Any) -> None:
    obj = add_head(scene, Matrix.Scale(2, 4))
    add_scene_camera(
        scene, Matrix.Translation((0, -2, 0)) @ Euler((np.pi / 2, 0, 0)).to_matrix().to_4x4()
    )
    assert ours(scene, obj).centre == pytest.approx([0, 0, 10], abs=1e-5)  # decimetres, half of 20


@pytest.mark.parametrize(
    ("matrix", "words"),
    [
        (Matrix.Diagonal((1, 2, 1, 1)), "apply its scale"),
        (Matrix.Shear("XY", 4, (0.5, 0.5)), "apply its scale"),
        (Matrix.Diagonal((-1, 1, 1, 1)), "mirrored"),
        (Matrix.Scale(0, 4), "has no size"),
    ],
)
def test_what_a_camera_cannot_undo_is_named(scene: Any, matrix: Matrix, words: str) -> None:
    obj = add_head(scene)
    root = bpy.data.objects.new("root", None)  # a shear survives in a parent's matrix alone
    scene.collection.objects.link(root)
    obj.parent = root
    obj.matrix_parent_inverse = matrix
    add_scene_camera(scene, Matrix.Translation((0, 0, 5)))
    with pytest.raises(CameraError, match=words):
        ours(scene, obj)


@pytest.mark.parametrize("kind", ["ORTHO", "PANO"])
def test_only_perspective(scene: Any, kind: str) -> None:
    obj = add_head(scene)
    add_scene_camera(scene, Matrix.Translation((0, 0, 5)), type=kind)
    with pytest.raises(CameraError, match="perspective"):
        ours(scene, obj)


def test_a_scene_without_a_camera(scene: Any) -> None:
    with pytest.raises(CameraError, match="no camera"):
        ours(scene, add_head(scene))


def test_the_training_camera_comes_back_through_blender(scene: Any, avatar_path: Path) -> None:
    training = load_avatar(avatar_path).camera
    placed = Matrix.LocRotScale(Vector((1, 2, 3)), Euler((0.3, -0.2, 0.9)), Vector([1.5] * 3))
    obj = add_head(scene, placed)
    bpy.context.view_layer.update()
    made = add_camera(bpy.context, obj, training)
    assert scene.camera == made
    found = ours(scene, obj)
    assert (found.width, found.height) == (training.width, training.height)
    assert np.abs(found.viewmat - training.viewmat).max() < 1e-5
    assert np.abs(found.K - training.K).max() < 1e-3
