"""From the playhead to splats: marks, requests, what is shown meanwhile. The timer is called by
hand, since none fires without a window."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bpy
import egstalker
import numpy as np
import pytest
from egstalker.core.errors import EngineError
from egstalker.core.gaussians import activate
from egstalker.egstalker_blender import engines, preferences
from egstalker.egstalker_blender.preferences import CacheBudget
from egstalker.egstalker_blender.timeline import bar, cache, handlers, pump, sources, status
from egstalker.egstalker_blender.timeline.service import Service
from egstalker.egstalker_blender.viewport import stage

from tests.blender.support import job_of, voice, write_wav

LIMIT = 10.0


@pytest.fixture
def budget(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """Sets the preferences' cache; without a call nothing goes to disk."""

    def set_budget(memory_mb: int = 100, disk_mb: int = 0) -> None:
        folder = tmp_path / "frames"
        monkeypatch.setattr(
            preferences, "cache_budget", lambda: CacheBudget(memory_mb, disk_mb, folder)
        )

    set_budget()
    return set_budget


@pytest.fixture
def talking(fake: Any, head: Any, budget: Any) -> Iterator[Any]:
    """The avatar of `head`, driven by the fake engine, at frame 5, nothing computed yet."""
    cache.store.memory.clear()
    cache.store.disk = None
    bpy.context.scene.frame_set(5)
    bpy.context.view_layer.update()
    pump.mark(data=True)
    yield head
    service().background.settle(LIMIT)


def service() -> Service:
    found = pump.service()
    assert found is not None
    return found


def settle(ticks: int = 60) -> None:
    """Tick until nothing is wanted any more."""
    for _ in range(ticks):
        pump.tick()
        assert service().background.settle(LIMIT)
        if pump.tick() != pump.BUSY:
            return
        time.sleep(pump.SCAN_EVERY / 5)
    raise AssertionError("the pump did not come to rest")


def shown(obj: Any) -> Any:
    return stage.shown().get(obj.session_uid)


def seconds_of(moments: list[Any]) -> list[float]:
    return [round(moment.seconds * 25, 3) for moment in moments]


def test_the_current_frame_is_shown_and_is_the_bakes(talking: Any, fake: Any, scene: Any) -> None:
    settle()
    assert not shown(talking).stale
    scene.frame_start = scene.frame_end = 5
    (task,) = job_of(talking).frames
    first = fake.moments[0]
    assert (first.seconds, first.eye) == (task.moment.seconds, task.moment.eye)
    assert np.array_equal(first.pose, task.moment.pose)


def test_neighbours_follow_nearest_first_and_only_within_the_range(
    talking: Any, fake: Any, scene: Any
) -> None:
    scene.frame_start, scene.frame_end = 3, 8
    settle()
    assert seconds_of(fake.moments) == [4, 5, 3, 6, 2, 7]  # frames from 0
    before = len(fake.moments)
    scene.frame_set(6)
    settle()
    assert len(fake.moments) == before  # all from memory
    assert not shown(talking).stale


def test_the_newest_position_wins(talking: Any, fake: Any, scene: Any) -> None:
    scene.frame_start = scene.frame_end = 1  # no neighbours
    settle()
    fake.moments.clear()
    fake.delay = 0.1
    for frame in range(10, 30):
        scene.frame_set(frame)
        pump.tick()
        assert shown(talking).stale
    settle()
    assert seconds_of(fake.moments)[-1] == 28
    assert len(fake.moments) < 5
    assert not shown(talking).stale


def test_neighbours_wait_until_a_scrub_rests(talking: Any, fake: Any, scene: Any) -> None:
    settle()
    fake.moments.clear()
    scene.frame_end = 100
    service().seconds = 0.2  # a slow engine: a neighbour in hand would be in the way
    scene.frame_set(60)
    pump.tick()
    assert service().background.settle(LIMIT)
    assert pump.tick() == pump.BUSY
    assert seconds_of(fake.moments) == [59]
    settle()
    assert len(fake.moments) > 1


def test_handlers_only_mark(talking: Any, fake: Any, scene: Any) -> None:
    settle()
    fake.moments.clear()
    scene.frame_set(20)
    assert pump._pump is not None
    assert pump._pump.marks.frame
    assert fake.moments == []
    assert not shown(talking).stale  # until the next tick looks


def test_a_handler_in_another_thread_touches_no_timer(talking: Any) -> None:
    settle()
    while pump.tick() is not None:  # at rest the timer ends
        pump._pump._worked -= pump.REST  # type: ignore[union-attr]
    if bpy.app.timers.is_registered(pump.tick):
        bpy.app.timers.unregister(pump.tick)
    thread = threading.Thread(target=handlers._on_frame)
    thread.start()
    thread.join()
    assert not bpy.app.timers.is_registered(pump.tick)
    handlers._on_frame()
    assert bpy.app.timers.is_registered(pump.tick)


@pytest.mark.parametrize(
    ("name", "value"),
    [("strength", 0.5), ("audio_offset", 0.01), ("pose_source", "still"), ("mouth_gain", 0.3)],
)
def test_a_changed_control_is_a_new_frame(talking: Any, fake: Any, name: str, value: Any) -> None:
    settle()
    count, version = len(fake.moments), shown(talking).version
    setattr(talking.egstalker, name, value)
    bpy.context.view_layer.update()
    time.sleep(pump.SCAN_EVERY)
    pump.tick()
    settle()
    assert len(fake.moments) > count
    assert shown(talking).version > version
    assert not shown(talking).stale


def test_another_sound_or_place_of_the_strip_is_a_new_frame(
    talking: Any, fake: Any, scene: Any, tmp_path: Path
) -> None:
    settle()
    count = len(fake.moments)
    path = write_wav(tmp_path / "other.wav", voice(1.0)[::-1])
    bpy.ops.egstalker.link_sound_file(filepath=str(path), frame=3)
    pump.mark(scene=True)
    time.sleep(pump.SCAN_EVERY)
    settle()
    assert seconds_of(fake.moments[count:])[0] == 2
    assert not shown(talking).stale


def test_a_moved_strip_is_not_decoded_again(
    talking: Any, fake: Any, scene: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.frame_start = scene.frame_end = 5
    settle()
    digest = _head(talking).sound.digest
    monkeypatch.setattr(sources, "_sound", lambda track: pytest.fail("decoded again"))
    strip = scene.sequence_editor.strips[0]
    if hasattr(strip, "content_start"):
        strip.content_start += 2
    else:
        strip.frame_start += 2
    pump.mark(scene=True)
    time.sleep(pump.SCAN_EVERY)
    settle()
    assert seconds_of(fake.moments) == [4, 2]
    assert _head(talking).sound.digest == digest


def test_keyed_controls_are_prefetched_as_they_will_be(talking: Any, fake: Any, scene: Any) -> None:
    scene.frame_start, scene.frame_end = 4, 6
    for frame, value in ((1, 0.0), (11, 1.0)):
        talking.egstalker.strength = value
        talking.egstalker.keyframe_insert("strength", frame=frame)
    scene.frame_set(5)
    settle()
    baked = {task.number: task.moment.strength for task in job_of(talking).frames}
    asked = {round(m.seconds * 25) + 1: m.strength for m in fake.moments}
    assert asked == baked
    count = len(fake.moments)
    scene.frame_set(6)
    settle()
    assert len(fake.moments) == count


def test_playing_asks_for_what_can_be_ready_in_time(
    talking: Any, fake: Any, scene: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.frame_start, scene.frame_end = 1, 100
    settle()
    monkeypatch.setattr(pump, "is_playing", lambda: True)
    fake.moments.clear()
    service().seconds = 0.2  # five frames at 25 a second
    scene.frame_set(50)
    pump.tick()
    assert service().background.settle(LIMIT)
    assert seconds_of(fake.moments)[:2] == [54, 55]
    assert shown(talking).stale
    scene.frame_set(56)
    service().seconds = 0.2
    pump.tick()
    assert not shown(talking).stale  # the playhead has come to a frame that is ready


def test_playing_shows_the_last_frame_it_passed(
    talking: Any, fake: Any, scene: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.frame_start, scene.frame_end = 1, 100
    settle()
    scene.frame_set(50)
    settle()
    monkeypatch.setattr(pump, "is_playing", lambda: True)
    fake.delay = 0.5
    service().seconds = 0.2
    edge = max(n for n, at in _head(talking).known.items() if at.key in cache.store.memory)
    scene.frame_set(edge)
    pump.tick()
    assert not shown(talking).stale
    version = shown(talking).version
    scene.frame_set(edge + 2)
    pump.tick()
    assert shown(talking).stale
    assert _head(talking).shown == _head(talking).known[edge].key
    assert shown(talking).version >= version
    fake.delay = 0


def _head(obj: Any) -> Any:
    return service().heads[obj.session_uid]


def test_hidden_heads_and_other_objects_cost_nothing(talking: Any, fake: Any, scene: Any) -> None:
    settle()
    bpy.data.objects.new("empty", None)
    fake.moments.clear()
    talking.hide_set(True)
    pump.mark(data=True)
    scene.frame_set(30)
    settle()
    assert fake.moments == []
    assert service().heads == {}
    talking.hide_set(False)
    pump.mark(data=True)
    settle()
    assert seconds_of(fake.moments)[0] == 29


def test_a_deleted_head_is_forgotten(talking: Any, fake: Any, scene: Any) -> None:
    settle()
    bpy.data.objects.remove(talking)
    settle()
    assert service().heads == {}


def test_an_engine_that_fails_is_told_and_tried_again(talking: Any, fake: Any, scene: Any) -> None:
    scene.frame_start = scene.frame_end = 5
    fake.error, fake.fail_at = EngineError("the engine is out of order"), 1
    settle()
    assert "out of order" in status.status_line(bpy.context, talking)
    assert len(fake.moments) == 1  # not again and again
    pump.mark(scene=True)
    time.sleep(pump.SCAN_EVERY)
    settle()
    assert shown(talking) is not None
    assert "out of order" not in status.status_line(bpy.context, talking)


def test_a_head_without_a_sound_is_shown_at_rest(talking: Any) -> None:
    talking.egstalker.sound_file = ""
    talking.egstalker.sound_source = "FILE"
    pump.mark(scene=True)
    settle()
    at_rest = service().heads[talking.session_uid]
    assert at_rest.avatar is not None
    assert "no sound" in at_rest.reason
    assert shown(talking).stale
    expected = activate(at_rest.avatar.gaussians)
    assert np.array_equal(shown(talking).splats.means, expected.means)


def test_a_missing_sound_and_a_missing_avatar_have_a_reason(talking: Any, tmp_path: Path) -> None:
    (tmp_path / "voice.wav").unlink()
    pump.mark(data=True)
    settle()
    assert "voice.wav" in status.status_line(bpy.context, talking)
    talking.egstalker.avatar_path = str(tmp_path / "nothing.egs")
    pump.mark(data=True)
    settle()
    assert "nothing.egs" in status.status_line(bpy.context, talking)


def test_the_status_says_engine_cache_and_age(talking: Any, fake: Any, scene: Any) -> None:
    settle()
    line = status.status_line(bpy.context, talking)
    assert "fake" in line
    assert "MB" in line
    assert "out of date" not in line
    fake.delay = 0.2
    scene.frame_set(90)
    pump.tick()
    assert "out of date" in status.status_line(bpy.context, talking)


def test_a_bake_has_the_engine_to_itself(talking: Any, fake: Any, scene: Any) -> None:
    settle()
    fake.moments.clear()
    with engines.baking():
        scene.frame_set(60)
        for _ in range(3):
            pump.tick()
            assert service().background.settle(LIMIT)
        assert fake.moments == []
        assert shown(talking).stale
    settle()
    assert seconds_of(fake.moments)[0] == 59


def test_disk_brings_frames_back_without_computing(
    talking: Any, fake: Any, budget: Any, tmp_path: Path
) -> None:
    budget(disk_mb=50)
    pump.mark(data=True)
    settle()
    count = len(fake.moments)
    kept = list((tmp_path / "frames").glob("*.npy"))
    assert len(kept) == count > 0
    cache.store.memory.clear()
    cache.store.disk = None
    pump.mark(data=True, frame=True)
    settle()
    assert len(fake.moments) == count
    assert len(cache.store.memory) == count
    for path in kept:
        path.write_bytes(path.read_bytes()[:-1])
    cache.store.memory.clear()
    pump.mark(frame=True)
    settle()
    assert len(fake.moments) == 2 * count


def test_a_folder_that_cannot_be_written_leaves_memory_and_a_reason(
    talking: Any, fake: Any, budget: Any, tmp_path: Path
) -> None:
    (tmp_path / "frames").write_text("in the way")
    budget(disk_mb=50)
    pump.mark(data=True)
    settle()
    assert not shown(talking).stale
    assert "no frames on disk" in status.status_line(bpy.context, talking)


def test_clear_cache_forgets_and_the_frame_comes_back(
    talking: Any, fake: Any, budget: Any, tmp_path: Path
) -> None:
    budget(disk_mb=50)
    pump.mark(data=True)
    settle()
    assert bpy.ops.egstalker.clear_cache() == {"FINISHED"}
    assert cache.store.megabytes() == (0, 0)
    assert not (tmp_path / "frames").exists()
    assert not bpy.ops.egstalker.clear_cache.poll()
    count = len(fake.moments)
    settle()
    assert len(fake.moments) > count


def test_the_bar_knows_where_each_frame_is(talking: Any, fake: Any, scene: Any) -> None:
    scene.frame_start, scene.frame_end = 1, 6
    settle()
    assert bar.cached_runs(talking, 1, 6) == [(1, 6, "memory")]
    key = _head(talking).known[3].key
    cache.store.memory._drop(key)
    assert bar.cached_runs(talking, 1, 6) == [(1, 2, "memory"), (3, 3, ""), (4, 6, "memory")]
    assert bar.cached_runs(None, 1, 6) == []


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
    assert not bpy.app.timers.is_registered(pump.tick)
    assert pump.service() is None
    assert len(cache.store.memory) == 0
    for name, function in handlers.HANDLERS:
        assert function not in getattr(bpy.app.handlers, name)
    pump.mark(frame=True)  # a late handler of another thread
    assert pump.tick() is None
    egstalker.register()
    for name, _ in handlers.HANDLERS:
        assert len(getattr(bpy.app.handlers, name)) == counts[name]
