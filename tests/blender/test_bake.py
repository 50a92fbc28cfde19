"""Baking an avatar object to files with every engine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from egstalker.egstalker_blender import preferences
from mathutils import Euler, Vector

from core.audio.features import track_for
from core.avatar.file import load_avatar
from core.bake.backends import backend_named
from core.bake.loop import picture
from core.bake.plan import training_tasks
from core.images.image import to_linear, to_uint8
from core.records.job import BakeJob
from tests.support.blender import HEIGHT, WIDTH, names, read_pixels, read_png


def premultiplied(path: Path) -> np.ndarray:
    """Where nothing is seen, a straight colour means nothing."""
    pixels = read_pixels(path)
    return np.concatenate([pixels[..., :3] * pixels[..., 3:], pixels[..., 3:]], axis=-1)


def core_pictures(avatar_path: Path, sound: Path, **changes: Any) -> list[np.ndarray]:
    """What the core draws by itself, no Blender about: frames 2 to 4 at 25 a second."""
    avatar = load_avatar(avatar_path)
    track = track_for(avatar, sound)
    background = changes.pop("background", True)
    frames = training_tasks(avatar, (2, 3, 4), **changes)
    job = BakeJob(avatar_path, avatar.content_hash, track, frames, Path(), background=background)
    backend = backend_named("numpy")
    deformer = backend.prepare(avatar)
    return [picture(job, task, avatar, deformer, backend) for task in frames]


def test_png_is_the_cores_picture_to_the_bit(head: Any, avatar_path: Path, tmp_path: Path) -> None:
    assert bpy.ops.egstalker.bake(engine="builtin") == {"FINISHED"}
    out = tmp_path / "out"
    assert names(out) == ["frame_0002.png", "frame_0003.png", "frame_0004.png"]
    expected = core_pictures(avatar_path, tmp_path / "voice.wav")
    for path, image in zip(sorted(out.iterdir()), expected, strict=True):
        pixels = read_png(path)
        assert pixels.shape == (HEIGHT, WIDTH, 4)
        assert np.array_equal(pixels, to_uint8(image))
    assert not np.array_equal(to_uint8(expected[0]), to_uint8(expected[2]))  # it moves


def test_exr_is_linear_within_half_precision(head: Any, avatar_path: Path, tmp_path: Path) -> None:
    head.egstalker.file_format = "exr"
    head.egstalker.use_plate = False
    assert bpy.ops.egstalker.bake(engine="builtin") == {"FINISHED"}
    paths = sorted((tmp_path / "out").iterdir())
    assert [path.suffix for path in paths] == [".exr"] * 3
    expected = core_pictures(avatar_path, tmp_path / "voice.wav", background=False)
    for path, image in zip(paths, expected, strict=True):
        linear = to_linear(image)
        assert linear[..., 3].max() > 0 and linear[..., 3].min() < 0.1
        assert np.abs(read_pixels(path) - linear).max() <= 2**-11  # half's step below 1


def test_own_size_pose_strength_and_offset_reach_the_core(
    head: Any, avatar_path: Path, tmp_path: Path
) -> None:
    props = head.egstalker
    props.size_source, props.width, props.height = "OWN", 40, 64
    props.pose_source, props.strength, props.audio_offset = "still", 0.5, 0.12
    props.use_plate = False
    assert bpy.ops.egstalker.bake(engine="builtin") == {"FINISHED"}
    expected = core_pictures(
        avatar_path,
        tmp_path / "voice.wav",
        background=False,
        size=(40, 64),
        pose="still",
        strength=0.5,
        offset=float(np.float32(0.12)),
    )
    for path, image in zip(sorted((tmp_path / "out").iterdir()), expected, strict=True):
        assert np.abs(read_png(path).astype(int) - to_uint8(image)).max() <= 1


def test_the_worker_draws_the_same(head: Any, tmp_path: Path) -> None:
    if not os.environ.get(preferences.WORKER_PYTHON_VARIABLE):
        pytest.skip(f"needs {preferences.WORKER_PYTHON_VARIABLE}, a Python that can run the worker")
    head.egstalker.file_stem = "worker_"
    assert bpy.ops.egstalker.bake(engine="worker") == {"FINISHED"}
    head.egstalker.file_stem = "builtin_"
    assert bpy.ops.egstalker.bake(engine="builtin") == {"FINISHED"}
    for number in (2, 3, 4):
        by_worker = read_png(tmp_path / "out" / f"worker_{number:04d}.png").astype(int)
        builtin = read_png(tmp_path / "out" / f"builtin_{number:04d}.png").astype(int)
        assert np.abs(by_worker - builtin).max() <= 1


def test_the_scene_camera_sees_what_the_training_camera_saw(head: Any, tmp_path: Path) -> None:
    """Wherever the head is placed in the scene."""
    head.location, head.rotation_euler = Vector((1, 2, 3)), Euler((0.3, -0.2, 0.9))
    head.scale = (1.5, 1.5, 1.5)
    props = head.egstalker
    props.pose_source, props.use_plate, props.file_stem = "still", False, "training_"
    assert bpy.ops.egstalker.bake(engine="builtin") == {"FINISHED"}
    assert bpy.ops.egstalker.add_training_camera() == {"FINISHED"}
    props.camera_source, props.file_stem = "scene", "scene_"
    bpy.context.view_layer.objects.active = head
    assert bpy.ops.egstalker.bake(engine="builtin") == {"FINISHED"}
    for number in (2, 3, 4):
        training = premultiplied(tmp_path / "out" / f"training_{number:04d}.png")
        scene = premultiplied(tmp_path / "out" / f"scene_{number:04d}.png")
        assert training[..., 3].max() > 0.5
        assert np.abs(training - scene).max() <= 1.01 / 255
