"""Heads in instanced collections, local and of a library: found, driven, drawn and baked."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import numpy as np
import pytest
from egstalker.core.errors import ArgumentError, CameraError
from egstalker.egstalker_blender import bake, cli
from egstalker.egstalker_blender.camera import scene_camera
from egstalker.egstalker_blender.export.gather import places_of
from egstalker.egstalker_blender.placed import Placed, active_place, place_problem, rendered_places
from egstalker.egstalker_blender.properties import active_avatar, avatars_in, instanced_by
from egstalker.egstalker_blender.render import native, native_handlers
from egstalker.egstalker_blender.render.layer_frames import LayerFrames
from egstalker.egstalker_blender.sound import strips
from egstalker.egstalker_blender.timeline import heads
from egstalker.egstalker_blender.viewport.gather import entries_of, instanced, instances_of
from egstalker.egstalker_blender.viewport.stage import Shown

from core.avatar.file import load_avatar
from core.records.gaussians import activate
from tests.support.blender import job_of, names, voice, write_wav
from tests.support.blender_native import decibels, prepare, rendered

SIZE = (64, 48)


def instance_of(collection: Any, name: str = "Instance") -> Any:
    empty = bpy.data.objects.new(name, None)
    empty.instance_type, empty.instance_collection = "COLLECTION", collection
    bpy.context.scene.collection.objects.link(empty)
    return empty


@pytest.fixture(params=["local", "linked", "nested"])
def shot(request: Any, scene: Any, avatar_path: Path, tmp_path: Path) -> Any:
    """A scene with a camera and an instance of a collection with the head "Ann" alone."""
    collection = bpy.data.collections.new("Head")
    scene.collection.children.link(collection)
    bpy.ops.egstalker.import_avatar(filepath=str(avatar_path))
    obj = bpy.context.object
    obj.name = "Ann"
    props = obj.egstalker
    props.sound_source, props.sound_strip, props.output_path = "STRIP", "voice", "//frames/{object}"
    collection.objects.link(obj)
    scene.collection.objects.unlink(obj)
    scene.collection.children.unlink(collection)
    if request.param == "linked":
        collection.use_fake_user = True
        (tmp_path / "library").mkdir()
        bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "library" / "head.blend"))
        bpy.ops.wm.read_factory_settings(use_empty=True)
        path = str(tmp_path / "library" / "head.blend")
        with bpy.data.libraries.load(path, link=True) as (_, here):
            here.collections = ["Head"]
        (collection,) = here.collections
    elif request.param == "nested":
        outer = bpy.data.collections.new("Outer")
        outer.objects.link(instance_of(collection, "Inner"))
        bpy.context.scene.collection.objects.unlink(bpy.data.objects["Inner"])
        collection = outer
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = 25, 1.0
    empty = instance_of(collection)
    empty.location, empty.rotation_euler = (1, 2, 3), (0.1, 0.2, 0.3)
    scene.camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    scene.collection.objects.link(scene.camera)
    scene.camera.location, scene.camera.rotation_euler = (1, 1, 3), (1.5, 0, 0)
    sound = write_wav(tmp_path / "voice.wav", voice(1.0))
    scene.sequence_editor_create().strips.new_sound("voice", str(sound), 1, 1)
    scene.frame_start, scene.frame_end = 1, 2
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    bpy.context.view_layer.update()
    return empty


@pytest.fixture
def ann(shot: Any) -> Any:
    (found,) = instanced_by(shot)
    return found


def test_the_head_is_one_of_the_scene(shot: Any, ann: Any) -> None:
    scene = bpy.context.scene
    assert avatars_in(scene) == [ann] and bake.rendered_heads(scene) == [ann]
    assert active_avatar(SimpleNamespace(object=shot, scene=scene)) == ann
    assert active_avatar(SimpleNamespace(object=None, scene=scene)) == ann
    assert bake.blocker_of(scene, Placed(ann)) == ""
    scene.sequence_editor.strips[0].name = "other"
    assert "has no sound strip 'voice'; it has: 'other'" in bake.blocker_of(scene, Placed(ann))
    assert strips.linked_strips(scene, ann) == []


def test_the_timeline_drives_it(shot: Any, ann: Any) -> None:
    scene, layer = bpy.context.scene, bpy.context.view_layer
    found = heads.find([(scene, layer)], {})
    assert list(found) == [ann.session_uid] and found[ann.session_uid].reason == ""
    shot.hide_set(True)
    assert heads.find([(scene, layer)], {}) == {}


def test_each_instance_is_drawn_at_its_place(shot: Any, ann: Any, avatar_path: Path) -> None:
    twin = instance_of(shot.instance_collection, "Twin")
    twin.location.x = -4
    layer = bpy.context.view_layer
    layer.update()
    splats = activate(load_avatar(avatar_path).gaussians)
    shown = {ann.session_uid: Shown(splats, False, 1)}
    assert instanced(layer, shown) == [ann] and instanced(layer, {}) == []
    items = instances_of([ann], layer.depsgraph, None)
    places = [item.world[:3, 3].tolist() for item in items]
    assert sorted(places) == [[-4, 0, 0], [1, 2, 3]]
    assert len({item.key for item in items}) == 2
    entries = entries_of(shown, [ann], items)
    assert {item.key for item in items} <= {entry.key for entry in entries}
    assert all(entry.splats is splats for entry in entries)
    twin.hide_set(True)
    layer.update()
    assert len(instances_of([ann], layer.depsgraph, None)) == 1


def test_the_camera_sees_the_instance(shot: Any, ann: Any, avatar_path: Path) -> None:
    scene = bpy.context.scene
    bpy.ops.egstalker.import_avatar(filepath=str(avatar_path))
    direct = bpy.context.object
    direct.location, direct.rotation_euler = shot.location, shot.rotation_euler
    bpy.context.view_layer.update()
    depsgraph = bpy.context.evaluated_depsgraph_get()
    there, same = (scene_camera(scene, depsgraph, obj, SIZE) for obj in (ann, direct))
    assert np.allclose(there.viewmat, same.viewmat, atol=1e-5) and there.unit == same.unit
    instance_of(shot.instance_collection, "Twin")
    depsgraph = bpy.context.evaluated_depsgraph_get()
    with pytest.raises(CameraError, match="'Ann' has 2 visible instances"):
        scene_camera(scene, depsgraph, ann, SIZE)


def test_it_is_baked_beside_the_shot(shot: Any, ann: Any, fake: Any, tmp_path: Path) -> None:
    ann.egstalker.camera_source = "scene"
    bpy.context.view_layer.objects.active = shot
    job = job_of(ann)
    assert [task.moment.seconds for task in job.frames] == [0, 0.04]
    assert bpy.ops.egstalker.bake() == {"FINISHED"}
    assert names(tmp_path / "frames" / "Ann") == ["Ann_0001.png", "Ann_0002.png"]
    assert cli.main(["--out", str(tmp_path / "farm"), "--object", "Ann"]) == 0
    assert names(tmp_path / "farm" / "Ann") == ["Ann_0001.png", "Ann_0002.png"]


def test_one_of_several_instances_is_chosen(
    shot: Any, ann: Any, fake: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A bake, a job, an export and the command line: the active object's, or the named one."""
    scene, layer = bpy.context.scene, bpy.context.view_layer
    twin = instance_of(shot.instance_collection, "Twin")
    twin.location, ann.egstalker.camera_source = (1, 4, 3), "scene"
    frames = tmp_path / "frames"
    layer.objects.active = scene.camera
    assert place_problem(scene, active_place(bpy.context)) == (
        "'Ann' is instanced by 'Instance', 'Twin'; select one of them"
    )
    assert not bpy.ops.egstalker.bake.poll()
    for active in (twin, shot):
        layer.objects.active = active
        assert bpy.ops.egstalker.bake() == {"FINISHED"}
        name = active.name
        assert names(frames / name) == [f"{name}_0001.png", f"{name}_0002.png"]
    farther, nearer = (
        job_of(ann, name).frames[0].camera.viewmat[2, 3] for name in ("Twin", "Instance")
    )
    assert farther - nearer == pytest.approx(20, abs=1)  # decimetres
    layer.objects.active = scene.camera
    assert [placed.name for placed in rendered_places(scene)] == ["Instance", "Twin"]
    assert bpy.ops.egstalker.bake_all() == {"FINISHED"}
    out, camera = tmp_path / "farm", ["--camera", "scene"]
    assert cli.main(["--out", str(out), *camera, "--object", "Twin"]) == 0
    assert names(out) == ["Twin"]
    assert cli.main(["--out", str(out), *camera]) == 0
    assert names(out) == ["Instance", "Twin"]
    assert cli.main(["--out", str(tmp_path / "bad"), *camera, "--object", "Ann"]) == 2
    assert "2 visible instances" in capsys.readouterr().err
    assert cli.main(["--out", str(tmp_path / "bad"), "--object", "Nobody"]) == 2
    assert "it has: 'Ann', 'Instance', 'Twin'" in capsys.readouterr().err
    twin.hide_render, ann.egstalker.camera_source = True, "scene"
    assert [placed.name for placed in rendered_places(scene)] == ["Instance"]
    ann.egstalker.camera_source = "training"  # which sees both alike
    assert rendered_places(scene) == [Placed(ann)]


def test_an_exported_instance_is_at_its_place(shot: Any, ann: Any) -> None:
    twin = instance_of(shot.instance_collection, "Twin")
    twin.location = (1, 4, 3)
    (there,) = places_of(bpy.context, ann, [1], "Twin")
    assert there[:3, 3].tolist() == pytest.approx([1, 3, -4])  # Y up
    with pytest.raises(CameraError, match="'Instance', 'Twin'; select one"):
        places_of(bpy.context, ann, [1])


def test_a_linked_head_takes_no_link(shot: Any, ann: Any) -> None:
    bpy.context.view_layer.objects.active = shot
    assert bpy.ops.egstalker.link_sound.poll() == (ann.library is None)


@pytest.mark.skipif(not native.SUPPORTED, reason=native.TOO_OLD)
@pytest.mark.parametrize("shot", ["linked"], indirect=True)
def test_renders_refuse_a_linked_head_and_draw_its_override(shot: Any, ann: Any) -> None:
    scene, layer = bpy.context.scene, bpy.context.view_layer
    depsgraph = bpy.context.evaluated_depsgraph_get()
    with pytest.raises(ArgumentError, match="'Ann' is linked"):
        native_handlers.Render().hand_over(scene, depsgraph)
    collection = shot.instance_collection
    scene.collection.children.link(collection)
    collection.override_hierarchy_create(scene, layer)
    scene.collection.children.unlink(collection)
    bpy.data.objects.remove(shot)
    native.separate()
    (mine,) = avatars_in(scene)
    assert mine.override_library and native.cloud_of(mine).library is None
    bpy.ops.wm.save_mainfile()
    bpy.ops.wm.open_mainfile(filepath=bpy.data.filepath)
    scene = bpy.context.scene
    native.separate()
    (mine,) = avatars_in(scene)
    native_handlers.Render().hand_over(scene, bpy.context.evaluated_depsgraph_get())
    assert len(native.cloud_of(mine).points) == 200


@pytest.mark.parametrize("shot", ["linked", "nested"], indirect=True)
def test_the_render_layer_draws_every_instance(shot: Any, ann: Any, tmp_path: Path) -> None:
    """At its place, as it draws the avatar itself there; with motion blur, too. A disabled one is
    not drawn."""
    scene, layer = bpy.context.scene, bpy.context.view_layer
    prepare(scene, samples=1)
    render = scene.render
    render.engine, render.resolution_x, render.resolution_y = "BLENDER_WORKBENCH", *SIZE
    scene.camera.location, scene.camera.rotation_euler = (0, -2, 0), (np.pi / 2, 0, 0)
    shot.location, shot.rotation_euler = (-0.2, 0, 0), (0, 0, 0.3)
    assert bpy.ops.egstalker.add_render_layer() == {"FINISHED"}
    one = rendered(scene, tmp_path / "one.png")
    assert one[:, : SIZE[0] // 2, 3].mean() > 0.02 and one[:, SIZE[0] // 2 :, 3].max() < 0.05
    twin = instance_of(shot.instance_collection, "Twin")
    twin.location = (0.2, 0, 0)
    both = rendered(scene, tmp_path / "both.png")
    assert np.abs(both - one)[:, : SIZE[0] // 2].max() < 0.05
    assert both[:, SIZE[0] // 2 :, 3].mean() > 0.02
    for frame, z in ((0, -0.1), (2, 0.1)):
        twin.location.z = z
        twin.keyframe_insert("location", frame=frame)
    scene.frame_set(1)
    render.use_motion_blur, render.motion_blur_shutter = True, 1.0
    blurred = rendered(scene, tmp_path / "blurred.png")
    assert np.abs(blurred - both)[:, : SIZE[0] // 2].max() < 0.05
    assert decibels(blurred, both) < 40
    copy = ann.copy()  # the same in the scene itself
    scene.collection.objects.link(copy)
    copy.animation_data_create().action = twin.animation_data.action
    if hasattr(copy.animation_data, "action_slot"):
        copy.animation_data.action_slot = twin.animation_data.action_slot
    twin.hide_render = True
    assert decibels(rendered(scene, tmp_path / "itself.png"), blurred) > 50
    copy.hide_render = True
    twin.hide_render, twin.hide_viewport = False, True
    layer.update()
    frames = LayerFrames()
    frame = frames.begin(scene)
    depsgraph = SimpleNamespace(
        object_instances=[SimpleNamespace(
            object=ann, parent=twin, is_instance=True, show_self=True, matrix_world=np.eye(4)
        )]
    )  # fmt: skip
    with pytest.raises(ArgumentError, match="motion blur of 'Twin' cannot be found"):
        frames.add(scene, depsgraph, frame)
