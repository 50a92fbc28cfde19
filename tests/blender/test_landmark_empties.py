"""Empties that follow landmarks of the speaking, turning face."""

from __future__ import annotations

from dataclasses import replace
from math import radians
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from egstalker.core.avatar.file import load_avatar, save_avatar
from egstalker.core.avatar.landmarks import attached
from egstalker.core.engine.builtin import BuiltinEngine
from egstalker.core.records.body import Body
from egstalker.egstalker_blender.camera import HEAD_TO_OBJECT, METRES
from egstalker.egstalker_blender.controls.state import head_in_object
from egstalker.egstalker_blender.landmarks.empties import empty_of

from tests.support.blender import job_of, make_avatar, track_of_job
from tests.support.synthetic import random_body

NAMES = ("nose", "chin")


@pytest.fixture
def avatar_path(tmp_path: Path) -> Path:
    path = make_avatar(tmp_path / "bust.egs")
    avatar = load_avatar(path)
    marks = np.zeros((68, 3), np.float32)
    marks[30], marks[8] = (0, 0, 0.55), (0, -0.8, 0.3)
    save_avatar(replace(avatar, body=Body(**vars(random_body())), landmarks=marks), path)
    return path


def turn(head: Any, degrees: float) -> None:
    """To the right at frame 2, to the left by so many degrees at frame 4; in object scale 2."""
    props = head.egstalker
    props.pose_source, props.landmarks = "keys", set(NAMES)
    for frame, yaw in ((2, -0.1), (4, radians(degrees))):
        props.yaw = yaw
        props.keyframe_insert("yaw", frame=frame)


def key(head: Any) -> None:
    bpy.context.view_layer.objects.active = head
    assert bpy.ops.egstalker.landmark_empties() == {"FINISHED"}


def check_world(head: Any, scene: Any, avatar: Any) -> None:
    landmarks, track = attached(avatar, NAMES), track_of_job(head)
    tasks = {task.number: task for task in job_of(head).frames}
    for number in (2, 3, 4):
        moment = tasks[number].moment
        placed = head_in_object(avatar, "keys", moment.pose)
        means = BuiltinEngine("numpy").deform(avatar, track, moment).means
        scene.frame_set(number)
        world = np.array(head.matrix_world)
        for name, place in zip(NAMES, landmarks.places(means), strict=True):
            expected = world @ HEAD_TO_OBJECT @ placed @ np.append(place, 1)
            found = np.array(empty_of(head, name).matrix_world)
            assert found[:3, 3] == pytest.approx(expected[:3], abs=2e-5)
            axes = HEAD_TO_OBJECT[:3, :3] / METRES
            turned = world[:3, :3] @ axes @ placed[:3, :3] @ axes.T
            assert found[:3, :3] == pytest.approx(turned, abs=1e-5)


def test_empties_follow_the_turning_and_speaking_face(
    head: Any, scene: Any, avatar_path: Path
) -> None:
    head.location, head.scale, head.rotation_euler = (1, 2, 3), (2, 2, 2), (0, 0, 0.5)
    turn(head, 20)
    scene.frame_set(3)
    key(head)
    assert scene.frame_current == 3 and len(head.children) == 2
    check_world(head, scene, load_avatar(avatar_path))
    moved = [np.array(empty_of(head, "chin").matrix_local)]
    head.egstalker.strength = 0.0
    key(head)
    moved.append(np.array(empty_of(head, "chin").matrix_local))
    assert np.abs(moved[0] - moved[1])[:3, 3].max() > 1e-5  # speech moves it, too


def test_a_second_run_renews_them(head: Any, scene: Any, avatar_path: Path) -> None:
    turn(head, 20)
    key(head)
    nose = empty_of(head, "nose")
    hat = bpy.data.objects.new("hat", None)
    hat.parent, nose.name = nose, "where the hat is"
    nose.keyframe_insert("scale", frame=1)
    turn(head, 10)
    key(head)
    assert len(head.children) == 2 and hat.parent == nose == empty_of(head, "nose")
    data = nose.animation_data
    curves = data.action.layers[0].strips[0].channelbag(data.action_slot).fcurves
    lengths = {(c.data_path, c.array_index): len(c.keyframe_points) for c in curves}
    expected = {(path, i): 3 for path in ("location", "rotation_euler") for i in range(3)}
    assert lengths == {**expected, **{("scale", i): 1 for i in range(3)}}
    check_world(head, scene, load_avatar(avatar_path))


def test_undo_takes_them_away(head: Any) -> None:
    turn(head, 20)
    name = head.name
    bpy.ops.ed.undo_push(message="before")
    key(head)
    bpy.ops.ed.undo_push(message="after")
    bpy.ops.ed.undo()
    assert not bpy.data.objects[name].children
    bpy.ops.ed.redo()
    assert len(bpy.data.objects[name].children) == 2


def test_why_there_are_none(head: Any) -> None:
    operator = bpy.ops.egstalker.landmark_empties
    head.egstalker.landmarks = set()
    assert not operator.poll()
    head.egstalker.landmarks = {"nose"}
    assert operator.poll()
    bpy.context.scene.frame_end = 3
    head.scale = (1, 2, 1)
    head.egstalker.pose_source = "object"
    head.egstalker.pose_object = bpy.data.objects.new("Target", None)
    bpy.context.view_layer.update()
    with pytest.raises(RuntimeError, match="unevenly"):
        operator()
    assert not head.children
