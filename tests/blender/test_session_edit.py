"""Edits of a scene between two bakes: undo, copy, delete, rename, several heads and scenes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import pytest
from egstalker.egstalker_blender import bake
from egstalker.egstalker_blender.properties import active_avatar
from egstalker.egstalker_blender.sound import strips, windows

from tests.support.blender import job_of, names, track_of_job, voice, write_wav


def push(message: str) -> None:
    """In background mode operators push no undo steps."""
    bpy.ops.ed.undo_push(message=message)


def the_head() -> Any:
    """Found by its name, because undo replaces objects."""
    return bpy.data.objects["tiny head"]


@pytest.fixture
def history(scene: Any) -> Any:
    push("start")
    return scene


def test_import_undone_and_done_again(history: Any, avatar_path: Path) -> None:
    bpy.ops.egstalker.import_avatar(filepath=str(avatar_path))
    digest = bpy.context.object.egstalker.content_hash
    push("import")
    bpy.ops.ed.undo()
    assert not bpy.data.objects and not bpy.data.meshes
    assert active_avatar(bpy.context) is None
    assert bake.blocker(bpy.context) == "Select an avatar, or import one"
    bpy.ops.ed.redo()
    assert the_head().egstalker.content_hash == digest
    assert active_avatar(bpy.context) == the_head()


def test_link_undone_and_done_again(
    history: Any, avatar_path: Path, tmp_path: Path, fake: Any
) -> None:
    bpy.ops.egstalker.import_avatar(filepath=str(avatar_path))
    push("import")
    sound = write_wav(tmp_path / "voice.wav", voice(1.0))
    bpy.ops.egstalker.link_sound_file(filepath=str(sound))
    push("link")
    bpy.ops.ed.undo()
    scene = bpy.context.scene
    assert windows.sound_strips(scene) == [] and the_head().egstalker.sound_strip == ""
    assert strips.fingerprint(scene, the_head()) is None
    bpy.ops.ed.redo()
    scene = bpy.context.scene
    assert strips.linked_window(scene, the_head()).path == sound
    props = the_head().egstalker
    props.output_path, props.file_stem = str(tmp_path / "out"), "frame_"
    bpy.context.scene.frame_end = 3
    assert bpy.ops.egstalker.bake() == {"FINISHED"}
    assert names(tmp_path / "out") == [f"frame_{n:04d}.png" for n in (1, 2, 3)]


def test_settings_undone_and_done_again(head: Any) -> None:
    push("before")
    head.egstalker.strength, head.egstalker.file_format = 0.25, "exr"
    push("settings")
    bpy.ops.ed.undo()
    props = the_head().egstalker
    assert (props.strength, props.file_format) == (1.0, "png")
    bpy.ops.ed.redo()
    props = the_head().egstalker
    assert (props.strength, props.file_format) == (0.25, "exr")


def test_a_strip_rename_is_undone(head: Any) -> None:
    push("before")
    strip = windows.sound_strips(bpy.context.scene)[0]
    name = strip.name
    strip.name = "other"
    push("rename")
    assert strips.linked_window(bpy.context.scene, the_head()).name == "other"
    bpy.ops.ed.undo()
    assert strips.linked_window(bpy.context.scene, the_head()).name == name
    bpy.ops.ed.redo()
    assert strips.linked_window(bpy.context.scene, the_head()).name == "other"


@pytest.mark.parametrize("linked", [False, True])
def test_a_copy_is_a_head_of_its_own(head: Any, linked: bool) -> None:
    bpy.ops.object.duplicate(linked=linked)
    twin = bpy.context.object
    assert twin != head and (twin.data == head.data) == linked
    assert twin.session_uid != head.session_uid
    twin.egstalker.strength, twin.egstalker.file_stem = 0.5, "{object}_"
    assert head.egstalker.strength == 1.0
    assert twin.egstalker.content_hash == head.egstalker.content_hash
    assert [task.moment.strength for task in job_of(twin).frames] == [0.5] * 3
    assert [task.moment.strength for task in job_of(head).frames] == [1.0] * 3


def test_a_deleted_head_is_gone(head: Any, scene: Any) -> None:
    bpy.ops.object.duplicate()
    bpy.ops.object.delete()
    bpy.context.view_layer.objects.active = head
    assert bake.blocker(bpy.context) == ""
    head.select_set(True)
    bpy.ops.object.delete()
    assert active_avatar(bpy.context) is None
    assert not bpy.ops.egstalker.bake.poll()
    scene.frame_set(3)
    bpy.context.view_layer.update()


def test_names_do_not_matter(head: Any, fake: Any, tmp_path: Path) -> None:
    head.name, head.data.name = "somebody", "points"
    windows.sound_strips(bpy.context.scene)[0].name = "said"
    assert bpy.ops.egstalker.bake() == {"FINISHED"}
    assert len(names(tmp_path / "out")) == 3


def test_two_heads_two_voices(head: Any, scene: Any, avatar_path: Path, tmp_path: Path) -> None:
    bpy.ops.egstalker.import_avatar(filepath=str(avatar_path))
    other = bpy.context.object
    bpy.ops.egstalker.link_sound_file(filepath=str(write_wav(tmp_path / "two.wav", voice(0.6))))
    other.egstalker.output_path = str(tmp_path / "out")
    assert other != head and other.data == head.data
    assert strips.linked_window(scene, head).path.name == "voice.wav"
    assert strips.linked_window(scene, other).path.name == "two.wav"
    assert strips.fingerprint(scene, head) != strips.fingerprint(scene, other)
    assert len(track_of_job(head)) > len(track_of_job(other))


def test_several_scenes(head: Any, scene: Any, tmp_path: Path) -> None:
    """A head that is linked into another scene has no sound there, and reports it. A head never
    plays a strip of another scene."""
    other = bpy.data.scenes.new("other")
    other.collection.objects.link(head)
    assert head.egstalker.sound_strip in strips.link_problem(other, head)
    assert strips.link_problem(scene, head) == ""
    before = strips.fingerprint(scene, head)
    windows.add_strip(other, write_wav(tmp_path / "voice.wav", voice(0.4)), 1).name = "voice"
    strips.settle_marks(other, [head])
    assert strips.linked_window(scene, head).scene == scene.name
    assert strips.fingerprint(scene, head)[0] == before[0]
    assert head.egstalker.sound_strip_id
    bpy.data.scenes.remove(other)
    assert strips.link_problem(scene, head) == ""


def test_view_layers(head: Any, scene: Any, fake: Any, tmp_path: Path) -> None:
    """A head that one view layer excludes can be baked in another."""
    layer = scene.view_layers.new("without")
    group = bpy.data.collections.new("heads")
    scene.collection.children.link(group)
    group.objects.link(head)
    scene.collection.objects.unlink(head)
    layer.layer_collection.children["heads"].exclude = True
    scene.view_layers[0].objects.active = head
    assert bake.blocker(bpy.context) == ""
    with bpy.context.temp_override(view_layer=layer):
        bpy.context.view_layer.update()
        assert len(job_of(head).frames) == 3
    assert bpy.ops.egstalker.bake() == {"FINISHED"}
