"""A bust in Blender: the object is the body, and the head turns on it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from egstalker.core.avatar.file import load_avatar, save_avatar
from egstalker.core.avatar.motion import head_on_body
from egstalker.core.engine.builtin import BuiltinEngine
from egstalker.core.network.skinning import SkinnedBody
from egstalker.core.records.body import Body
from egstalker.core.records.camera import pose_vector
from egstalker.core.records.gaussians import activate
from egstalker.core.render.place import turned
from egstalker.egstalker_blender.camera import HEAD_TO_OBJECT
from egstalker.egstalker_blender.render import native_frames
from egstalker.egstalker_blender.viewport import gather, stage

from tests.support.blender import job_of, make_avatar, track_of_job
from tests.support.blender_native import baked, decibels, prepare, rendered
from tests.support.synthetic import random_body


@pytest.fixture
def avatar_path(tmp_path: Path) -> Path:
    path = make_avatar(tmp_path / "bust.egs")
    save_avatar(replace(load_avatar(path), body=Body(**vars(random_body()))), path)
    return path


def test_all_rows_of_the_cloud_are_vertices(head: Any, avatar_path: Path) -> None:
    avatar = load_avatar(avatar_path)
    assert len(head.data.vertices) == avatar.splats == len(avatar.gaussians) + 60


def test_the_body_stands_still_in_the_scene_s_camera(head: Any, avatar_path: Path) -> None:
    avatar = load_avatar(avatar_path)
    assert avatar.body is not None
    bpy.ops.egstalker.add_training_camera()
    head.egstalker.camera_source, head.egstalker.pose_source = "scene", "track"
    body = SkinnedBody(avatar.body, avatar.camera.viewmat)
    seen, heads = [], []
    for task in job_of(head).frames:
        view = task.camera.viewmat
        means = body.at(task.moment.pose).means
        seen.append((means @ view[:3, :3].T + view[:3, 3])[avatar.body.weights == 0])
        heads.append(view)
    assert np.abs(heads[0] - heads[-1]).max() > 0.01  # the head turns
    for now in seen:
        np.testing.assert_allclose(now, seen[0], atol=1e-4)


def test_the_viewport_stands_on_the_body(head: Any, avatar_path: Path) -> None:
    avatar = load_avatar(avatar_path)
    assert avatar.body is not None and avatar.track is not None
    body = SkinnedBody(avatar.body, avatar.camera.viewmat)
    head.location = (1, 2, 3)
    bpy.context.view_layer.update()
    depsgraph = bpy.context.evaluated_depsgraph_get()
    free = avatar.body.weights == 0
    expected = avatar.body.means[free] @ HEAD_TO_OBJECT[:3, :3].T + (1, 2, 3)
    for viewmat in avatar.track.viewmats[[0, 5, 9]]:
        pose = pose_vector(viewmat)
        splats, place = body.at(pose), head_on_body(avatar, pose)
        assert place is not None
        stage.put(head.session_uid, splats, place=place)
        world = gather.items_of([head], depsgraph, stage.shown())[0].world @ HEAD_TO_OBJECT
        found = splats.means[free] @ world[:3, :3].T + world[:3, 3]
        np.testing.assert_allclose(found, expected, atol=1e-5)
    stage.clear()


def test_the_native_cloud_stands_on_the_body_and_turns_the_harmonics(
    head: Any, scene: Any, avatar_path: Path
) -> None:
    """Of a render; the view's cloud takes the same function."""
    avatar = load_avatar(avatar_path)
    assert avatar.body is not None
    free = avatar.body.weights == 0
    head.egstalker.pose_source = "track"
    scene.frame_set(3)
    depsgraph = bpy.context.evaluated_depsgraph_get()
    found = native_frames.Frames().at(scene, depsgraph, head).splats
    np.testing.assert_allclose(found.means[-60:][free], avatar.body.means[free], atol=1e-5)
    task = next(task for task in job_of(head).frames if task.number == 3)
    place = head_on_body(avatar, task.moment.pose)
    assert place is not None
    sh = BuiltinEngine("numpy").deform(avatar, track_of_job(head), task.moment).sh
    np.testing.assert_allclose(found.sh, turned(sh, place[:3, :3]), atol=1e-4)
    assert np.abs(found.sh - sh).max() > 1e-3


def test_the_render_layer_shows_the_turned_head_of_the_bake(
    head: Any, scene: Any, tmp_path: Path
) -> None:
    bpy.ops.egstalker.add_training_camera()
    prepare(scene, samples=1)
    head.egstalker.pose_source = "track"
    scene.frame_set(3)
    assert bpy.ops.egstalker.add_render_layer() == {"FINISHED"}
    picture = rendered(scene, tmp_path / "render.png")
    bake = baked(head, scene, tmp_path)
    assert bake[..., 3].mean() > 0.1
    assert (
        decibels(picture, bake) >= 45
    )  # steps of 8 bits; the cloud is half transparent everywhere


def test_a_head_alone_stands_in_its_own_frame(avatar_path: Path) -> None:
    avatar = replace(load_avatar(avatar_path), body=None)
    assert head_on_body(avatar, np.zeros(12, np.float32)) is None
    assert len(activate(avatar.whole())) == len(avatar.gaussians)
