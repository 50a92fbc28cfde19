"""The controls of an object: properties, effect on the moment, saving and linking."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from egstalker.core.avatar.blinks import blink_at
from egstalker.core.avatar.file import load_avatar
from egstalker.core.avatar.following import head_range
from egstalker.core.avatar.motion import moment_at
from egstalker.core.avatar.rotations import rotation_vector
from egstalker.core.errors import CameraError
from egstalker.core.records.camera import pose_vector
from egstalker.egstalker_blender.camera import HEAD_TO_OBJECT, head_motion
from egstalker.egstalker_blender.controls.presets import NAMES

from tests.support.blender import job_of, names, read_png

NUMBERS = {
    "eye_closure": 0.25, "blink_rate": 20.0, "blink_duration": 0.5, "strength": 0.75,
    "mouth_gain": 1.25, "opacity": 0.5, "colour_gain": 2.0, "audio_offset": 0.125,
}  # fmt: skip


def moments(head: Any) -> list[Any]:
    return [task.moment for task in job_of(head).frames]


def empty(scene: Any, **transform: Any) -> Any:
    target = bpy.data.objects.new("Target", None)
    scene.collection.objects.link(target)
    for name, value in transform.items():
        setattr(target, name, value)
    bpy.context.view_layer.update()
    return target


def test_untouched_controls_give_the_moment_of_the_core(head: Any, avatar_path: Path) -> None:
    avatar = load_avatar(avatar_path)
    for moment in moments(head):
        plain = moment_at(avatar, moment.seconds)
        assert (moment.eye, moment.pose.tobytes()) == (plain.eye, plain.pose.tobytes())
        gains = (moment.strength, moment.mouth_gain, moment.opacity, moment.colour_gain)
        assert gains == (1.0, 1.0, 1.0, 1.0)


def test_numbers_reach_every_moment(head: Any) -> None:
    props = head.egstalker
    for name in ("strength", "mouth_gain", "opacity", "colour_gain"):
        setattr(props, name, NUMBERS[name])
    for moment in moments(head):
        for name in ("strength", "mouth_gain", "opacity", "colour_gain"):
            assert getattr(moment, name) == NUMBERS[name]


def test_eyes_from_training_by_hand_or_blinking(head: Any, scene: Any, avatar_path: Path) -> None:
    props, avatar = head.egstalker, load_avatar(avatar_path)
    assert [m.eye for m in moments(head)] == [
        moment_at(avatar, m.seconds).eye for m in moments(head)
    ]
    props.eye_source, props.eye_closure = "MANUAL", 0.25
    assert [m.eye for m in moments(head)] == [0.25] * 3
    props.eye_source, props.blink_rate, props.blink_seed = "BLINK", 60, 3
    scene.frame_start, scene.frame_end = 1, 60
    eyes = [m.eye for m in moments(head)]
    duration = props.blink_duration
    assert eyes == [blink_at(n / 25, 3, 60, duration) for n in range(1, 61)]
    assert max(eyes) > 0.9 and min(eyes) == 0
    props.audio_offset = 0.2  # the sound comes later, the blinks do not
    assert [m.eye for m in moments(head)] == eyes


def test_ranges_units_and_tooltips(head: Any) -> None:
    found = head.egstalker.bl_rna.properties
    for name in (*NAMES, "audio_offset", "pose_object", "approximate"):
        assert len(found[name].description) > 15 and found[name].name != name
        assert found[name].is_overridable if hasattr(found[name], "is_overridable") else True
    for name in NUMBERS:
        assert found[name].is_animatable
    for name in ("eye_source", "pose_source", "blink_seed", "approximate"):
        assert not found[name].is_animatable
    props = head.egstalker
    props.eye_closure, props.opacity, props.mouth_gain, props.strength = 2, -1, 9, -1
    assert (props.eye_closure, props.opacity, props.mouth_gain, props.strength) == (1, 0, 3, 0)


def test_the_head_follows_an_object_within_the_training(
    head: Any, scene: Any, avatar_path: Path
) -> None:
    props, avatar = head.egstalker, load_avatar(avatar_path)
    target = empty(scene, location=(3, 2, 1))
    props.pose_source, props.pose_object = "object", target
    still = pose_vector(avatar.camera.viewmat)
    assert np.array_equal(moments(head)[0].pose, still)
    limits = head_range(avatar)
    inside = 0.5 * limits.turn_high[0]
    assert 0.01 < inside < math.radians(45)
    target.rotation_euler.x = inside  # around the ears: Blender's X is the head's x
    bpy.context.view_layer.update()
    task = job_of(head).frames[0]
    turned = np.linalg.inv(avatar.camera.viewmat) @ task.camera.viewmat
    assert rotation_vector(turned[:3, :3]) == pytest.approx([inside, 0, 0], abs=1e-5)
    assert np.array_equal(task.moment.pose, pose_vector(task.camera.viewmat))
    target.rotation_euler = (2, 0, 0)
    bpy.context.view_layer.update()
    turned = np.linalg.inv(avatar.camera.viewmat) @ job_of(head).frames[0].camera.viewmat
    assert rotation_vector(turned[:3, :3]) == pytest.approx([limits.turn_high[0], 0, 0], abs=1e-5)


def test_a_turned_avatar_and_its_target_turn_together(head: Any, scene: Any) -> None:
    props = head.egstalker
    target = empty(scene, rotation_euler=(0.02, 0.01, 0))
    props.pose_source, props.pose_object = "object", target
    before = moments(head)[0].pose
    head.parent = target
    bpy.context.view_layer.update()
    rest = moments(head)[0].pose
    head.parent = None
    target.parent = head
    head.rotation_euler, head.location, head.scale = (0.3, 0.2, 1.0), (1, 2, 3), (2, 2, 2)
    bpy.context.view_layer.update()
    assert moments(head)[0].pose == pytest.approx(before, abs=1e-5)
    assert np.abs(rest - before).max() > 1e-3


def test_the_view_of_the_scene_s_camera_stays(head: Any, scene: Any) -> None:
    bpy.ops.egstalker.add_training_camera()
    props = head.egstalker
    props.camera_source = "scene"
    before = job_of(head).frames[0]
    props.pose_source, props.pose_object = "object", empty(scene, rotation_euler=(0.05, 0, 0))
    after = job_of(head).frames[0]
    assert np.array_equal(before.camera.viewmat, after.camera.viewmat)
    assert not np.array_equal(before.moment.pose, after.moment.pose)


def test_no_object_is_the_still_pose_also_when_it_was_deleted(
    head: Any, scene: Any, avatar_path: Path
) -> None:
    props = head.egstalker
    still = pose_vector(load_avatar(avatar_path).camera.viewmat)
    props.pose_source = "object"
    assert np.array_equal(moments(head)[0].pose, still)
    props.pose_object = target = empty(scene, rotation_euler=(0.05, 0, 0))
    assert not np.array_equal(moments(head)[0].pose, still)
    bpy.data.objects.remove(target)
    assert props.pose_object is None
    assert np.array_equal(moments(head)[0].pose, still)


def test_a_motion_in_blender_s_axes_is_the_head_s() -> None:
    world = np.eye(4)
    angle = 0.3
    world[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    world[:3, 3] = (0.01, -0.02, 0.03)  # metres
    motion = head_motion(np.eye(4), world * [3, 3, 3, 1], "head")  # its scale does not count
    assert rotation_vector(motion[:3, :3]) == pytest.approx([0, angle, 0])  # up is the head's y
    assert motion[:3, 3] == pytest.approx([0.1, 0.3, 0.2])  # decimetres: x, up, to the viewer
    assert np.linalg.inv(HEAD_TO_OBJECT) @ world @ HEAD_TO_OBJECT == pytest.approx(motion)
    with pytest.raises(CameraError, match="unevenly"):
        head_motion(np.diag([1.0, 2, 1, 1]), world, "head")


def test_a_duplicate_has_controls_of_its_own(head: Any, scene: Any) -> None:
    head.egstalker.mouth_gain = 0.5
    head.egstalker.pose_object = target = empty(scene)
    bpy.ops.object.select_all(action="DESELECT")
    head.select_set(True)
    bpy.context.view_layer.objects.active = head
    bpy.ops.object.duplicate()
    twin = bpy.context.object
    assert twin != head and twin.egstalker.mouth_gain == 0.5
    twin.egstalker.mouth_gain = 1.5
    twin.egstalker.eye_source = "BLINK"
    assert (head.egstalker.mouth_gain, head.egstalker.eye_source) == (0.5, "TRACK")
    assert twin.egstalker.pose_object == target


def test_undo_brings_the_control_back(head: Any) -> None:
    name = head.name
    bpy.ops.ed.undo_push(message="before")
    head.egstalker.mouth_gain = 0.25
    bpy.ops.ed.undo_push(message="after")
    bpy.ops.ed.undo()
    again = bpy.data.objects[name]
    assert again.egstalker.mouth_gain == 1.0
    assert moments(again)[0].mouth_gain == 1.0
    bpy.ops.ed.redo()
    assert moments(bpy.data.objects[name])[0].mouth_gain == 0.25


def test_a_linked_avatar_is_overridden_saved_and_found_again(
    head: Any, scene: Any, tmp_path: Path
) -> None:
    head.egstalker.mouth_gain = 0.5
    library, shot = str(tmp_path / "library.blend"), str(tmp_path / "shot.blend")
    bpy.ops.wm.save_as_mainfile(filepath=library)
    bpy.ops.wm.read_homefile(use_empty=True)
    with bpy.data.libraries.load(library, link=True) as (there, here):
        here.objects = [name for name in there.objects if name == head_name(there)]
    linked = here.objects[0]
    assert linked.egstalker.mouth_gain == 0.5
    bpy.context.scene.collection.objects.link(linked)
    local = linked.override_create(remap_local_usages=True)
    target = empty(bpy.context.scene)
    for name, value in NUMBERS.items():
        setattr(local.egstalker, name, value)
    local.egstalker.eye_source, local.egstalker.pose_source = "BLINK", "object"
    local.egstalker.pose_object, local.egstalker.blink_seed = target, 7
    local.egstalker.pose_use_location = True
    bpy.ops.wm.save_as_mainfile(filepath=shot)
    bpy.ops.wm.open_mainfile(filepath=shot)
    again = next(o for o in bpy.context.scene.objects if o.override_library)
    props = again.egstalker
    assert {name: getattr(props, name) for name in NUMBERS} == pytest.approx(NUMBERS)
    assert (props.eye_source, props.pose_source, props.blink_seed) == ("BLINK", "object", 7)
    assert props.pose_object.name == "Target" and props.pose_use_location
    paths = {p.rna_path for p in again.override_library.properties}
    assert "egstalker.mouth_gain" in paths
    assert again.override_library.reference.egstalker.mouth_gain == 0.5


def head_name(data: Any) -> str:
    return next(
        name
        for name in data.objects
        if name.startswith("tiny head") and not name.endswith("Splats")
    )


def test_presets_are_kept_applied_and_removed(head: Any) -> None:
    props = head.egstalker
    menu = bpy.types.EGSTALKER_MT_control_presets
    shipped = {
        Path(bpy.utils.preset_find(name, menu.preset_subdir)).stem
        for name in ("as_trained", "calm", "lively")
    }
    assert shipped == {"as_trained", "calm", "lively"}
    defaults = {name: getattr(props, name) for name in NAMES}
    props.mouth_gain, props.eye_source, props.audio_offset = 0.5, "MANUAL", 0.5
    assert bpy.ops.egstalker.control_preset(name="mine") == {"FINISHED"}
    path = Path(bpy.utils.preset_find("mine", menu.preset_subdir))
    assert path.is_relative_to(os.environ["BLENDER_USER_RESOURCES"])
    text = path.read_text()
    assert all(f"props.{name} =" in text for name in NAMES)
    for name, gain, eyes in (("lively", 1.25, "BLINK"), ("mine", 0.5, "MANUAL")):
        file = bpy.utils.preset_find(name, menu.preset_subdir)
        bpy.ops.script.execute_preset(filepath=file, menu_idname=menu.__name__)
        assert (props.mouth_gain, props.eye_source) == (gain, eyes)
    file = bpy.utils.preset_find("as_trained", menu.preset_subdir)
    bpy.ops.script.execute_preset(filepath=file, menu_idname=menu.__name__)
    assert {name: getattr(props, name) for name in NAMES} == defaults
    assert props.audio_offset == 0.5
    bpy.ops.egstalker.control_preset(name="mine", remove_name=True)
    assert not path.exists()
    file = Path(bpy.utils.preset_find("calm", menu.preset_subdir))
    bpy.ops.egstalker.control_preset(name="calm", remove_name=True)
    assert file.exists()
    bpy.context.view_layer.objects.active = None
    assert not bpy.ops.egstalker.control_preset.poll()


def test_a_bake_shows_the_controls(head: Any, tmp_path: Path) -> None:
    props = head.egstalker
    props.use_plate = False
    bpy.context.scene.frame_end = 2

    def baked() -> np.ndarray:
        bpy.ops.egstalker.bake()
        out = tmp_path / "out"
        return read_png(out / names(out)[0]).astype(float)

    plain = baked()
    props.colour_gain = 0.5
    dark = baked()
    assert plain[..., 3].max() > 200
    assert np.array_equal(dark[..., 3], plain[..., 3])
    solid = plain[..., 3] > 200
    assert dark[solid][:, :3].mean() == pytest.approx(plain[solid][:, :3].mean() / 2, rel=0.05)
    props.opacity = 0.0
    assert not baked()[..., 3].any()
