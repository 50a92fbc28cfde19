"""The timeline in a session: undo, copies, scenes and files change while frames are computed.
The timer is called by hand, since none fires without a window."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy
import pytest
from egstalker.egstalker_blender import preferences
from egstalker.egstalker_blender.preferences import CacheBudget
from egstalker.egstalker_blender.sound import strips
from egstalker.egstalker_blender.timeline import pump, status, store
from egstalker.egstalker_blender.viewport import stage

from tests.support.blender import voice, write_wav
from tests.support.blender_timeline import LIMIT, service, settle


@pytest.fixture
def talking(fake: Any, head: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """A linked head with a timeline that keeps nothing on disk; undo can go back to here."""
    monkeypatch.setattr(
        preferences, "cache_budget", lambda: CacheBudget(100, 0, tmp_path / "frames")
    )
    store.store.memory.clear()
    store.store.disk = None
    bpy.context.view_layer.update()
    pump.mark(data=True)
    bpy.ops.ed.undo_push(message="talking")
    yield head
    assert service().background.settle(LIMIT)


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
    assert shown() == {obj.session_uid for obj in bpy.data.objects} and len(shown()) == 2


def test_undone_while_a_frame_is_on_its_way(talking: Any, fake: Any) -> None:
    """The object is another after undo; the late frame harms nobody."""
    fake.delay = 0.05
    talking.egstalker.strength = 0.5
    bpy.context.view_layer.update()
    bpy.ops.ed.undo_push(message="strength")
    pump.tick()
    bpy.ops.ed.undo()
    settle()
    obj = bpy.data.objects["tiny head"]
    assert shown() == {obj.session_uid}
    assert service().heads[obj.session_uid].current.moment.strength == 1.0


@pytest.mark.parametrize("how", ["deleted", "file", "new"])
def test_gone_while_a_frame_is_on_its_way(
    talking: Any, fake: Any, tmp_path: Path, how: str
) -> None:
    fake.delay = 0.1
    path = tmp_path / "other.blend"
    pump.tick()
    if how == "deleted":
        bpy.data.objects.remove(talking)
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
    """A script goes to a frame right after linking the object: of both, Blender calls for the
    frame alone."""
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
    (reason,) = status.problems(obj)
    assert f"no sound strip {strip!r}" in reason


def test_keys_hide_and_show_a_head(talking: Any, fake: Any, scene: Any) -> None:
    for frame, hidden in ((1, False), (10, True), (20, False)):
        talking.hide_viewport = hidden
        talking.keyframe_insert("hide_viewport", frame=frame)
    for frame, count in ((5, 1), (15, 0), (25, 1)):
        scene.frame_set(frame)
        time.sleep(pump.SCAN_EVERY)
        settle()
        assert len(service().heads) == count
    assert not stage.shown()[talking.session_uid].stale


def test_two_heads_hear_their_own_strips(talking: Any, scene: Any, tmp_path: Path) -> None:
    bpy.ops.object.duplicate()
    twin = bpy.context.object
    strip = strips.add_strip(scene, write_wav(tmp_path / "two.wav", voice(0.7)), 1)
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
    pump.mark(scene=True)
    time.sleep(pump.SCAN_EVERY)
    settle()
    assert not service().heads  # nothing is computed for a scene that nobody sees
    window.scene = scene
    pump.mark(scene=True)
    time.sleep(pump.SCAN_EVERY)
    settle()
    assert set(service().heads) == {talking.session_uid}


@pytest.mark.skipif(bpy.app.version < (5, 1), reason="Blender before 5.1 crashes on retiming keys")
def test_a_retimed_strip_comes_to_rest(talking: Any, scene: Any, tmp_path: Path) -> None:
    """Its mixdown makes and removes a scene, which marks the timeline: once, not for ever."""
    scene.sequence_editor_clear()
    strip = strips.add_strip(scene, write_wav(tmp_path / "slow.wav", voice(2.0)), 1)
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
