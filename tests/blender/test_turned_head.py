"""The head turned by keys and by a bone: the same turn in every way to a picture."""

from __future__ import annotations

from dataclasses import replace
from math import radians
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from egstalker.core.avatar.file import load_avatar, save_avatar
from egstalker.core.avatar.turning import neck_of
from egstalker.core.network.skinning import rigid_inverse
from egstalker.core.records.body import Body
from egstalker.core.records.camera import pose_vector, viewmat_of_pose
from egstalker.core.records.gaussians import activate
from egstalker.egstalker_blender.camera import HEAD_TO_OBJECT, METRES
from egstalker.egstalker_blender.controls.state import animation_of, head_in_object
from egstalker.egstalker_blender.export import gather as export_gather
from egstalker.egstalker_blender.render import native_frames
from mathutils import Euler

from tests.support.blender import job_of, make_avatar
from tests.support.synthetic import random_body

YAW, PITCH, ROLL = radians(25), radians(-12), radians(10)


def head_file(folder: Path, bust: bool) -> Path:
    path = make_avatar(folder / "head.egs")
    if bust:
        save_avatar(replace(load_avatar(path), body=Body(**vars(random_body()))), path)
    return path


@pytest.fixture(params=[True, False], ids=["bust", "head alone"])
def avatar_path(request: Any, tmp_path: Path) -> Path:
    return head_file(tmp_path, request.param)


def turn_by_keys(head: Any) -> None:
    props = head.egstalker
    props.pose_source = "keys"
    props.yaw, props.pitch, props.roll = YAW, PITCH, ROLL


def in_object(head: Any, avatar: Any, moment: Any) -> np.ndarray:
    """(3, 3) turn of the head in the object's axes."""
    placed = head_in_object(avatar, head.egstalker.pose_source, moment.pose)
    axes = HEAD_TO_OBJECT[:3, :3] / METRES
    return axes @ placed[:3, :3] @ axes.T


def expected(avatar: Any) -> np.ndarray:
    """(4, 4) turn in the head's frame, as Blender turns an object about the neck."""
    axes = HEAD_TO_OBJECT[:3, :3] / METRES
    turn = np.array(Euler((PITCH, ROLL, YAW), "YXZ").to_matrix())
    motion, neck = np.eye(4), neck_of(avatar)
    motion[:3, :3] = axes.T @ turn @ axes
    motion[:3, 3] = neck - motion[:3, :3] @ neck
    return motion


def test_keys_turn_the_head_as_blender_turns_objects(head: Any, avatar_path: Path) -> None:
    avatar = load_avatar(avatar_path)
    turn_by_keys(head)
    task = job_of(head).frames[0]
    turn = rigid_inverse(avatar.camera.viewmat) @ viewmat_of_pose(task.moment.pose)
    assert turn == pytest.approx(expected(avatar), abs=1e-5)
    assert pose_vector(task.camera.viewmat) == pytest.approx(task.moment.pose, abs=1e-6)
    assert task.moment.body_pose is None


def test_the_turn_is_the_same_in_every_way_to_a_picture(
    head: Any, scene: Any, avatar_path: Path, tmp_path: Path
) -> None:
    avatar = load_avatar(avatar_path)
    bpy.ops.egstalker.add_training_camera()
    head.egstalker.camera_source, head.egstalker.strength = "scene", 0.0
    head.egstalker.pose_source = "still"
    still = job_of(head).frames[0].camera.viewmat
    turn_by_keys(head)
    motion = expected(avatar)
    task = job_of(head).frames[0]
    assert task.camera.viewmat == pytest.approx(still @ motion, abs=1e-4)  # a bake
    scene.frame_set(3)
    means = activate(avatar.gaussians).means
    turned = means @ motion[:3, :3].T + motion[:3, 3]
    depsgraph = bpy.context.evaluated_depsgraph_get()
    cloud = native_frames.Frames().at(scene, depsgraph, head).splats  # a render
    assert cloud.means[: len(means)] == pytest.approx(turned, abs=1e-4)
    placed = head_in_object(avatar, "keys", task.moment.pose)  # the viewport
    assert placed == pytest.approx(motion, abs=1e-5)
    choice = export_gather.Choice(tmp_path / "head.ply", "ply", (3,))
    ready = export_gather.read(bpy.context, head, choice)
    job = export_gather._splat_job(ready, job_of(head))
    place = job.frames[0].place
    if avatar.body is None:  # core turns a bust
        upright = np.diag([METRES, METRES, METRES, 1])
        assert place == pytest.approx(upright @ motion, abs=1e-5)
    head.egstalker.pose_source = "still"
    back = job_of(head).frames[0].camera.viewmat
    assert back == pytest.approx(still, abs=1e-6)


def test_angles_are_keyed_and_driven(head: Any, scene: Any) -> None:
    turn_by_keys(head)
    props = head.egstalker
    for frame, yaw in ((2, 0.0), (4, 0.4)):
        props.yaw = yaw
        props.keyframe_insert("yaw", frame=frame)
    props.driver_add("pitch").driver.expression = "frame / 100"
    poses = [viewmat_of_pose(task.moment.pose) for task in job_of(head).frames]
    props.driver_remove("pitch")
    assert animation_of(scene, bpy.context.evaluated_depsgraph_get(), head) is not None
    assert len({pose.tobytes() for pose in poses}) == 3
    for value in ("yaw", "pitch", "roll"):
        prop = props.bl_rna.properties[value]
        assert (prop.subtype, prop.unit) == ("ANGLE", "ROTATION")
        setattr(props, value, 9.0)
        assert getattr(props, value) == pytest.approx(radians(60))


def rig_of(scene: Any) -> Any:
    """An armature at a place of its own, turned: a chest bone and on it a head bone."""
    data = bpy.data.armatures.new("Rig")
    rig = bpy.data.objects.new("Rig", data)
    scene.collection.objects.link(rig)
    bpy.context.view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    chest, top = data.edit_bones.new("chest"), data.edit_bones.new("head")
    chest.head, chest.tail = (0, 0, -0.4), (0, 0.02, -0.1)
    top.head, top.tail, top.parent = (0, 0.02, -0.1), (0, 0.0, 0.1), chest
    bpy.ops.object.mode_set(mode="OBJECT")
    rig.location, rig.rotation_euler = (1, 2, 3), (0, 0, 0.7)
    return rig


@pytest.mark.parametrize("avatar_path", [True], indirect=True, ids=["bust"])
def test_the_head_follows_a_bone_and_the_object_another(
    head: Any, scene: Any, avatar_path: Path
) -> None:
    avatar, props = load_avatar(avatar_path), head.egstalker
    rig = rig_of(scene)
    bpy.context.view_layer.update()
    head.parent, head.parent_type, head.parent_bone = rig, "BONE", "chest"
    head.matrix_world = rig.matrix_world.copy()
    props.pose_source, props.pose_object, props.pose_bone = "object", rig, "head"
    bpy.context.view_layer.update()

    def pose() -> np.ndarray:
        bpy.context.view_layer.update()
        return job_of(head).frames[0].moment.pose

    still = pose_vector(avatar.camera.viewmat)
    assert pose() == pytest.approx(still, abs=1e-5)
    rig.pose.bones["chest"].rotation_mode = "XYZ"
    rig.pose.bones["chest"].rotation_euler = (0.2, 0.3, 0.1)
    assert pose() == pytest.approx(still, abs=1e-5)  # the whole bust turns
    bone = rig.pose.bones["head"]
    rest = bone.bone.matrix_local.to_3x3()
    turn = Euler((0.1, 0.05, 0.3), "YXZ").to_matrix()
    bone.rotation_mode = "QUATERNION"
    bone.rotation_quaternion = (rest.inverted() @ turn @ rest).to_quaternion()
    moment = job_of(head).frames[0].moment
    assert in_object(head, avatar, moment) == pytest.approx(np.array(turn), abs=1e-4)
    props.pose_bone = "missing"
    assert pose() != pytest.approx(still, abs=1e-3)  # the armature as a whole
