"""The timeline in a session: cache, status line, bar, errors, other files, unregistering."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import bpy
import egstalker
import pytest
from egstalker.core.errors import EngineError
from egstalker.egstalker_blender import engines, preferences
from egstalker.egstalker_blender.timeline import bar, handlers, status, store, timer
from egstalker.egstalker_blender.viewport import stage

from tests.support.blender_timeline import (
    LIMIT,
    blocked,
    budget,
    clock,
    head_of,
    seconds_of,
    service,
    settle,
    shown,
    talking,
)

__all__ = ["budget", "clock", "talking"]  # fixtures


def test_hidden_heads_and_other_objects_cost_nothing(talking: Any, fake: Any, scene: Any) -> None:
    settle()
    bpy.data.objects.new("empty", None)
    fake.moments.clear()
    talking.hide_set(True)
    timer.mark(data=True)
    scene.frame_set(30)
    settle()
    assert fake.moments == []
    assert service().heads == {}
    talking.hide_set(False)
    timer.mark(data=True)
    settle()
    assert seconds_of(fake.moments)[0] == 29


def test_a_deleted_head_is_forgotten(talking: Any, fake: Any, scene: Any) -> None:
    settle()
    bpy.data.objects.remove(talking)
    settle()
    assert service().heads == {}


def test_an_engine_error_is_reported_and_the_frame_tried_again(
    talking: Any, fake: Any, scene: Any
) -> None:
    scene.frame_start = scene.frame_end = 5
    fake.error, fake.fail_at = EngineError("the engine is out of order"), 1
    settle()
    assert "out of order" in status.status_line(bpy.context, talking)
    assert len(fake.moments) == 1  # not again and again
    timer.mark(scene=True)
    settle()
    assert shown(talking) is not None
    assert "out of order" not in status.status_line(bpy.context, talking)


def test_a_missing_sound_and_a_missing_avatar_have_a_reason(talking: Any, tmp_path: Path) -> None:
    (tmp_path / "voice.wav").unlink()
    timer.mark(data=True)
    settle()
    assert "voice.wav" in status.status_line(bpy.context, talking)
    talking.egstalker.avatar_path = str(tmp_path / "nothing.egs")
    timer.mark(data=True)
    settle()
    assert "nothing.egs" in status.status_line(bpy.context, talking)


def test_the_status_says_engine_cache_and_age(talking: Any, fake: Any, scene: Any) -> None:
    settle()
    line = status.status_line(bpy.context, talking)
    assert "fake" in line
    assert "MB" in line
    assert "out of date" not in line
    with blocked(fake):
        scene.frame_set(90)
        timer.tick()
        assert "out of date" in status.status_line(bpy.context, talking)


def test_a_bake_has_the_engine_to_itself(talking: Any, fake: Any, scene: Any) -> None:
    settle()
    fake.moments.clear()
    with engines.baking():
        scene.frame_set(60)
        for _ in range(3):
            timer.tick()
            assert service().background.settle(LIMIT)
        assert fake.moments == []
        assert shown(talking).stale
    settle()
    assert seconds_of(fake.moments)[0] == 59


def test_disk_brings_frames_back_without_computing(
    talking: Any, fake: Any, budget: Any, tmp_path: Path
) -> None:
    budget(disk_mb=50)
    timer.mark(data=True)
    settle()
    count = len(fake.moments)
    kept = list((tmp_path / "frames").glob("*.npy"))
    assert len(kept) == count > 0
    store.store.memory.clear()
    store.store.disk = None
    timer.mark(data=True, frame=True)
    settle()
    assert len(fake.moments) == count
    assert len(store.store.memory) == count
    for path in kept:
        path.write_bytes(path.read_bytes()[:-1])
    store.store.memory.clear()
    timer.mark(frame=True)
    settle()
    assert len(fake.moments) == 2 * count


def test_a_folder_that_cannot_be_written_leaves_memory_and_a_reason(
    talking: Any, fake: Any, budget: Any, tmp_path: Path
) -> None:
    (tmp_path / "frames").write_text("in the way")
    budget(disk_mb=50)
    timer.mark(data=True)
    settle()
    assert not shown(talking).stale
    assert "no frames on disk" in status.status_line(bpy.context, talking)


def test_clear_cache_forgets_and_the_frame_comes_back(
    talking: Any, fake: Any, budget: Any, tmp_path: Path
) -> None:
    budget(disk_mb=50)
    timer.mark(data=True)
    settle()
    assert bpy.ops.egstalker.clear_cache() == {"FINISHED"}
    assert store.store.megabytes() == (0, 0)
    assert not (tmp_path / "frames").exists()
    assert not bpy.ops.egstalker.clear_cache.poll()
    count = len(fake.moments)
    settle()
    assert len(fake.moments) > count


def test_the_bar_knows_where_each_frame_is(talking: Any, fake: Any, scene: Any) -> None:
    scene.frame_start, scene.frame_end = 1, 6
    settle()
    assert bar.cached_runs(scene, talking, 1, 6) == [(1, 6, "memory")]
    key = head_of(talking).moments[3].key
    store.store.memory.drop(key)
    assert bar.cached_runs(scene, talking, 1, 6) == [(1, 2, "memory"), (3, 3, ""), (4, 6, "memory")]
    assert bar.cached_runs(scene, None, 1, 6) == []


def test_another_file_leaves_nothing_behind(talking: Any, fake: Any) -> None:
    settle()
    uid = talking.session_uid
    bpy.ops.wm.read_factory_settings(use_empty=True)
    assert service().heads == {}
    settle()
    assert uid not in stage.shown()
    assert service().sources.tasks() == []


def test_off_and_on_leaves_no_thread_no_timer_no_handler(talking: Any) -> None:
    settle()
    counts = {name: len(getattr(bpy.app.handlers, name)) for name, _ in handlers.HANDLERS}
    threads = sum(thread.name == "egstalker" for thread in threading.enumerate())
    assert threads == 1
    egstalker.unregister()
    assert not any(thread.name == "egstalker" for thread in threading.enumerate())
    assert not bpy.app.timers.is_registered(timer.tick)
    assert timer.service() is None
    assert len(store.store.memory) == 0
    for name, function in handlers.HANDLERS:
        assert function not in getattr(bpy.app.handlers, name)
    timer.mark(frame=True)  # a late handler of another thread
    assert timer.tick() is None
    egstalker.register()
    for name, _ in handlers.HANDLERS:
        assert len(getattr(bpy.app.handlers, name)) == counts[name]


def test_frames_are_cached_next_to_a_saved_blend(
    talking: Any, fake: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(preferences, "cache_budget", lambda: preferences.CacheBudget(100, 50))
    monkeypatch.setattr(store, "user_folder", lambda name: tmp_path / "user" / name)
    timer.mark(data=True)
    settle()
    assert list((tmp_path / "user" / store.FOLDER).glob("*.npy"))
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    store.store.memory.clear()
    timer.mark(frame=True)
    settle()
    assert list((tmp_path / store.FOLDER).glob("*.npy"))


def frames_seen(obj: Any) -> dict[str, int]:
    """The moment of the splats that each scene's views show, in frames of the sound."""
    found = {}
    for key, head in service().heads.items():
        assert head.obj == obj and head.current is not None and head.shown == head.current.key
        assert stage.seen_in(head.scene)[obj.session_uid] is stage.shown()[key]
        assert not stage.shown()[key].stale
        found[head.scene.name] = round(head.current.moment.seconds * 25)
    return found


def test_two_windows_show_one_head_at_the_frames_of_their_scenes(
    talking: Any, fake: Any, scene: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = scene.copy()  # the same objects and the same sound
    windows = [(one, one.view_layers[0]) for one in (scene, other)]
    monkeypatch.setattr(timer, "scenes", lambda: windows)
    other.frame_set(20)
    timer.mark(data=True)
    settle()
    assert {4, 19} <= set(seconds_of(fake.moments))
    assert frames_seen(talking) == {scene.name: 4, other.name: 19}
    assert stage.seen_in(scene)[talking.session_uid] is shown(talking)
    assert stage.seen_in(other)[talking.session_uid] is not shown(talking)
    other.frame_set(5)
    settle()
    assert frames_seen(talking) == {scene.name: 4, other.name: 4}
    # The second window is closed: its scene shows what the first one does.
    del windows[1]
    timer.mark(data=True)
    settle()
    assert set(service().heads) == set(stage.shown()) == {talking.session_uid}
    # The first window shows the other scene now.
    windows[:] = [(other, other.view_layers[0])]
    other.frame_set(12)
    timer.mark(data=True)
    settle()
    assert frames_seen(talking) == {other.name: 11}
    bpy.data.scenes.remove(other)
    windows[:] = [(scene, scene.view_layers[0])]
    timer.mark(data=True)
    settle()
