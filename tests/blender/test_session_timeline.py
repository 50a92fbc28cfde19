"""The timeline in a session: undo, copies, scenes and files, also while frames are computed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import pytest
from egstalker.egstalker_blender.sound import windows
from egstalker.egstalker_blender.timeline import status, timer
from egstalker.egstalker_blender.viewport import stage

from tests.support.blender import voice, write_wav
from tests.support.blender_timeline import (
    blocked,
    budget,
    clock,
    service,
    settle,
    talking,
    tick_until,
)

__all__ = ["budget", "clock", "talking"]  # fixtures


def shown() -> set[int]:
    return set(stage.shown())


def test_undo_and_redo_of_a_copy(talking: Any) -> None:
    settle()
    first = talking.session_uid
    bpy.ops.object.duplicate()
    second = bpy.context.object.session_uid
    bpy.ops.ed.undo_push(message="copy")
    settle()
    assert shown() == {first, second}
    bpy.ops.ed.undo()
    settle()
    assert shown() == {bpy.data.objects["tiny head"].session_uid}
    bpy.ops.ed.redo()
    settle()
    assert shown() == {obj.session_uid for obj in bpy.context.scene.objects} and len(shown()) == 2


def test_undo_while_a_frame_is_computed(talking: Any, fake: Any) -> None:
    """Undo replaces the object; the frame that was requested for the old one does no harm."""
    with blocked(fake) as begun:
        talking.egstalker.strength = 0.5
        bpy.context.view_layer.update()
        bpy.ops.ed.undo_push(message="strength")
        tick_until(begun)
        bpy.ops.ed.undo()
    settle()
    obj = bpy.data.objects["tiny head"]
    assert shown() == {obj.session_uid}
    assert service().heads[obj.session_uid].current.moment.strength == 1.0


@pytest.mark.parametrize("how", ["deleted", "file", "new"])
def test_deleted_or_closed_while_a_frame_is_computed(
    talking: Any, fake: Any, tmp_path: Path, how: str
) -> None:
    path = tmp_path / "other.blend"
    with blocked(fake) as begun:
        tick_until(begun)
        if how == "deleted":
            bpy.data.objects.remove(talking)
            bpy.context.view_layer.update()  # as a window does
        elif how == "file":
            bpy.data.libraries.write(str(path), {bpy.context.scene})
            bpy.ops.wm.open_mainfile(filepath=str(path))
            bpy.data.objects.remove(bpy.data.objects["tiny head"])
        else:
            bpy.ops.wm.read_factory_settings(use_empty=True)
    settle()
    assert shown() == set() and not service().heads


def test_a_file_opened_again_shows_its_head(talking: Any, tmp_path: Path) -> None:
    path = tmp_path / "scene.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    for _ in range(3):
        settle()
        assert shown() == {bpy.data.objects["tiny head"].session_uid}
        bpy.ops.wm.open_mainfile(filepath=str(path))


@pytest.mark.parametrize("link", [False, True])
def test_a_head_whose_strip_stayed_in_the_other_file_rests(
    talking: Any, tmp_path: Path, link: bool
) -> None:
    """A script links an object and changes the frame at once: Blender calls only the handler of the
    frame."""
    path = tmp_path / "scene.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    strip = talking.egstalker.sound_strip
    bpy.ops.wm.read_homefile(use_factory_startup=True)
    settle()
    assert shown() == set()
    with bpy.data.libraries.load(str(path), link=link) as (_, target):
        target.objects = ["tiny head"]
    obj = target.objects[0]
    bpy.context.scene.collection.objects.link(obj)
    bpy.context.scene.frame_set(12)
    settle()
    assert shown() == {obj.session_uid}
    assert stage.shown()[obj.session_uid].stale
    (reason,) = status.problems(bpy.context.scene, obj)
    assert f"no sound strip {strip!r}" in reason


def test_keys_hide_and_show_a_head(talking: Any, fake: Any, scene: Any) -> None:
    for frame, hidden in ((1, False), (10, True), (20, False)):
        talking.hide_viewport = hidden
        talking.keyframe_insert("hide_viewport", frame=frame)
    for frame, count in ((5, 1), (15, 0), (25, 1)):
        scene.frame_set(frame)
        settle()
        assert len(service().heads) == count
    assert not stage.shown()[talking.session_uid].stale


def test_two_heads_use_their_own_strips(talking: Any, scene: Any, tmp_path: Path) -> None:
    bpy.ops.object.duplicate()
    twin = bpy.context.object
    strip = windows.add_strip(scene, write_wav(tmp_path / "two.wav", voice(0.7)), 1)
    twin.egstalker.sound_strip = strip.name
    settle()
    heads = service().heads
    digests = {uid: heads[uid].sound.digest for uid in (talking.session_uid, twin.session_uid)}
    assert len(set(digests.values())) == 2
    strip.name = "another name"
    bpy.context.view_layer.update()
    settle()
    assert service().heads[twin.session_uid].sound.digest == digests[twin.session_uid]


def test_another_scene_in_the_window(talking: Any, scene: Any) -> None:
    other = bpy.data.scenes.new("other")
    window = bpy.context.window_manager.windows[0]
    settle()
    assert set(service().heads) == shown() == {talking.session_uid}
    window.scene = other
    bpy.context.view_layer.update()
    timer.mark(scene=True)
    settle()
    assert not service().heads  # nothing is computed for a scene that no window shows
    window.scene = scene
    timer.mark(scene=True)
    settle()
    assert set(service().heads) == {talking.session_uid}


@pytest.mark.skipif(bpy.app.version < (5, 1), reason="Blender before 5.1 crashes on retiming keys")
def test_a_retimed_strip_comes_to_rest(talking: Any, scene: Any, tmp_path: Path) -> None:
    """Its mixdown adds and removes a scene, which marks the timeline. It must not repeat for
    ever."""
    scene.sequence_editor_clear()
    strip = windows.add_strip(scene, write_wav(tmp_path / "slow.wav", voice(2.0)), 1)
    strip.retiming_keys.add(timeline_frame=26)
    strip.retiming_keys[2].timeline_frame = 76
    talking.egstalker.sound_strip = strip.name
    settle()
    assert service().heads[talking.session_uid].sound.track is not None
    assert len(bpy.data.scenes) == 1
    asked = service().heads[talking.session_uid].sound
    bpy.context.view_layer.update()
    settle()
    assert service().heads[talking.session_uid].sound is asked
