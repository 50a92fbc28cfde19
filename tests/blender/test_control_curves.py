"""Keyed controls at other frames, read from F-curves, equal those after stepping the scene."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from egstalker.core.avatar.file import load_avatar
from egstalker.core.records.moment import Moment
from egstalker.egstalker_blender.controls.state import ANIMATED, animation_of, state_now
from egstalker.egstalker_blender.gather import (
    moment_of,
    read_settings,
    start_of,
)

from tests.support.blender import job_of

FRAMES = (-3, 0, 1, 2, 3, 5, 8, 20, 40)


def animation(obj: Any) -> Any:
    return animation_of(bpy.context.scene, bpy.context.evaluated_depsgraph_get(), obj)


def key(obj: Any, name: str, *pairs: tuple[float, float]) -> Any:
    """Insert keyframes of a control. Returns its F-curve."""
    for frame, value in pairs:
        setattr(obj.egstalker, name, value)
        obj.egstalker.keyframe_insert(name, frame=frame)
    return curve_of(obj, name)


def curve_of(obj: Any, name: str) -> Any:
    data = obj.animation_data
    bag = data.action.layers[0].strips[0].channelbag(data.action_slot)
    return bag.fcurves.find(f"egstalker.{name}")


def stepped(obj: Any, frame: float) -> Any:
    whole = int(np.floor(frame))
    bpy.context.scene.frame_set(whole, subframe=frame - whole)
    return state_now(bpy.context.evaluated_depsgraph_get(), obj)


def check(obj: Any, frames: tuple[float, ...] = FRAMES) -> None:
    """Reads all frames from one, then steps the scene through them, and compares."""
    bpy.context.scene.frame_set(11)
    sampled = {frame: animation(obj).at(frame) for frame in frames}
    assert bpy.context.scene.frame_current == 11
    for frame, state in sampled.items():
        assert vars(state) == vars(stepped(obj, frame)), frame


def test_every_number_at_any_frame(head: Any) -> None:
    for i, name in enumerate(ANIMATED):
        low = 0.1 + 0.03 * i
        key(head, name, (1, low), (6, low + 0.3), (30, 0.2))
    assert len(animation(head).curves) == len(ANIMATED)
    check(head, (*FRAMES, 3.5, 7.25))


def test_values_are_cut_off_as_blender_does(head: Any) -> None:
    curve = key(head, "opacity", (1, 0.0), (10, 1.0))
    curve.extrapolation = "LINEAR"
    other = key(head, "mouth_gain", (1, 0.5), (10, 3.0))
    other.extrapolation = "LINEAR"
    check(head, (-30, 0, 5, 9, 40))


@pytest.mark.parametrize("what", ["constant", "bezier", "modifier", "muted", "stretched"])
def test_what_else_moves_a_curve(head: Any, scene: Any, what: str) -> None:
    curve = key(head, "strength", (1, 0.2), (10, 1.0), (20, 0.4))
    if what == "constant":
        curve.keyframe_points[0].interpolation = "CONSTANT"
    elif what == "bezier":
        curve.keyframe_points[0].handle_right_type = "FREE"
        curve.keyframe_points[0].handle_right = (6, 2)
    elif what == "modifier":
        curve.modifiers.new("CYCLES")
    elif what == "muted":
        curve.mute = True
    else:
        scene.render.frame_map_old, scene.render.frame_map_new = 100, 50
    check(head)


def to_nla(head: Any) -> None:
    data = head.animation_data
    data.nla_tracks.new().strips.new("strip", 1, data.action)
    data.action = None


def add_driver(head: Any) -> None:
    head.egstalker.driver_add("opacity").driver.expression = "frame / 100"


def blend(head: Any) -> None:
    head.animation_data.action_influence = 0.5


@pytest.mark.parametrize("move", [to_nla, add_driver, blend])
def test_where_more_than_curves_move_them_only_the_scene_knows(
    head: Any, move: Callable[[Any], None]
) -> None:
    key(head, "opacity", (1, 0.2), (9, 1.0))
    assert animation(head) is not None
    move(head)
    assert animation(head) is None
    tasks = job_of(head).frames  # a bake walks there
    assert len({task.moment.opacity for task in tasks}) == 3


def test_keys_of_other_properties_do_not_matter(head: Any, scene: Any) -> None:
    head.keyframe_insert("location", frame=1)
    head.driver_add("rotation_euler", 0).driver.expression = "frame"
    head.egstalker.opacity = 0.5
    assert animation(head).at(99).opacity == 0.5
    scene.frame_set(17)
    job_of(head)
    assert scene.frame_current == 17


def follow(head: Any, scene: Any) -> Any:
    target = bpy.data.objects.new("Target", None)
    scene.collection.objects.link(target)
    head.egstalker.pose_source, head.egstalker.pose_object = "object", target
    bpy.context.view_layer.update()
    return target


def test_a_followed_object_that_moves_is_known_only_where_the_scene_is(
    head: Any, scene: Any
) -> None:
    target = follow(head, scene)
    assert animation(head) is not None
    for frame, angle in ((1, 0.0), (10, 0.1)):
        target.rotation_euler.x = angle
        target.keyframe_insert("rotation_euler", frame=frame)
    assert animation(head) is None
    poses = [task.moment.pose.tobytes() for task in job_of(head).frames]
    assert len(set(poses)) == 3  # the bake walks, and sees it turn
    target.animation_data_clear()
    parent = bpy.data.objects.new("Parent", None)
    target.parent = parent
    assert animation(head) is not None
    parent.constraints.new("COPY_ROTATION")
    assert animation(head) is None
    parent.constraints.clear()
    key(head, "opacity", (1, 0.0), (9, 1.0))  # moves no object
    assert animation(head) is not None
    head.keyframe_insert("location", frame=1)
    assert animation(head) is None


def test_the_bake_gives_the_moments_of_the_timeline(head: Any, avatar_path: Path) -> None:
    props = head.egstalker
    key(head, "mouth_gain", (1, 0.5), (5, 1.5))
    key(head, "audio_offset", (1, 0.0), (5, 0.2))
    props.eye_source = "BLINK"
    key(head, "blink_rate", (1, 60.0), (5, 20.0))
    scene = bpy.context.scene
    settings, avatar = read_settings(scene, head), load_avatar(avatar_path)
    start = start_of(avatar, settings.voice)
    found = animation(head)
    for task in job_of(head).frames:
        there, walked = (
            moment_of(avatar, settings.pose, state, task.number, start, settings.fps)
            for state in (found.at(task.number), stepped(head, task.number))
        )
        assert fields(task.moment) == fields(there) == fields(walked)


def fields(moment: Moment) -> dict[str, Any]:
    return {**vars(moment), "pose": moment.pose.tobytes()}


@pytest.mark.skipif(
    "fcurves" not in bpy.types.Action.bl_rna.properties,
    reason="this Blender has layered actions alone",
)
def test_an_action_made_the_older_way(head: Any) -> None:
    action = bpy.data.actions.new("flat")
    curve = action.fcurves.new("egstalker.opacity")
    for frame, value in ((1, 0.0), (10, 1.0)):
        curve.keyframe_points.insert(frame, value)
    head.animation_data_create().action = action
    head.animation_data.action_slot = action.slots[0] if len(action.slots) else None
    assert set(animation(head).curves) == {"opacity"}
    check(head)


def test_an_action_without_the_object_s_slot_moves_nothing(head: Any) -> None:
    key(head, "opacity", (1, 0.25), (10, 1.0))
    bpy.context.scene.frame_set(1)
    head.animation_data.action_slot = None
    assert animation(head).curves == {}
    check(head)


def test_a_muted_group_is_as_blender_has_it(head: Any) -> None:
    curve = key(head, "opacity", (1, 0.25), (10, 1.0))
    bag = head.animation_data.action.layers[0].strips[0].channelbag(head.animation_data.action_slot)
    curve.group = curve.group or bag.groups.new("controls")
    curve.group.mute = True
    head.animation_data.action.update_tag()
    check(head)


def test_a_control_of_a_linked_avatar_is_keyed_over_its_override(
    head: Any, scene: Any, tmp_path: Path
) -> None:
    key(head, "opacity", (1, 0.25), (10, 1.0))
    library, name = str(tmp_path / "library.blend"), head.name
    bpy.ops.wm.save_as_mainfile(filepath=library)
    bpy.ops.wm.read_homefile(use_empty=True)
    with bpy.data.libraries.load(library, link=True) as (_, here):
        here.objects = [name]
    local = here.objects[0].override_create(remap_local_usages=True)
    bpy.context.scene.collection.objects.link(local)
    assert set(animation(local).curves) == {"opacity"}  # the library's own keys
    check(local)
    action = local.animation_data.action.copy()
    local.animation_data.action = action
    local.animation_data.action_slot = action.slots[0]
    curve_of(local, "opacity").keyframe_points[0].co.y = 0.75
    check(local)
    bpy.context.scene.frame_set(1)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "shot.blend"))
    again = next(obj for obj in bpy.data.objects if obj.override_library)
    assert animation(again).at(1).opacity == pytest.approx(0.75)
    check(again)
