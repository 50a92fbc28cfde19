"""From the playhead to splats: marks, requests, the frame that is shown."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from egstalker.core.records.gaussians import activate
from egstalker.egstalker_blender.timeline import handlers, sources, store, timer
from egstalker.egstalker_blender.timeline.service import QUIET, SURVEY_SECONDS
from egstalker.egstalker_blender.timeline.work import Computed

from tests.support.blender import job_of, voice, write_wav
from tests.support.blender_timeline import (
    LIMIT,
    Clock,
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


def test_no_more_frames_are_computed_than_memory_holds(
    talking: Any, fake: Any, scene: Any, budget: Any
) -> None:
    """They would push out each other, and the timer would never rest."""
    budget(memory_mb=0.05)  # five frames
    timer.mark(data=True)
    settle()
    assert store.store.memory.room(1) == 5 and 1 < len(fake.moments) <= 5
    assert not shown(talking).stale


def test_the_newest_position_wins(talking: Any, fake: Any, scene: Any) -> None:
    scene.frame_start = scene.frame_end = 1  # no neighbours
    settle()
    fake.moments.clear()
    with blocked(fake):
        for frame in range(10, 30):
            scene.frame_set(frame)
            timer.tick()
            assert shown(talking).stale
    settle()
    assert seconds_of(fake.moments)[-1] == 28
    assert len(fake.moments) <= 2  # that one, and the one that had begun
    assert not shown(talking).stale


def test_neighbours_wait_until_a_scrub_rests(talking: Any, fake: Any, scene: Any) -> None:
    settle()
    fake.moments.clear()
    scene.frame_end = 100
    service().seconds = 0.2  # a slow engine: a neighbour that has begun would delay the next frame
    scene.frame_set(60)
    timer.tick()
    assert service().background.settle(LIMIT)
    assert timer.tick() == timer.BUSY
    assert seconds_of(fake.moments) == [59]
    settle()
    assert len(fake.moments) > 1


def test_neighbours_of_a_click_wait_until_its_frame_was_seen(
    talking: Any, fake: Any, scene: Any, clock: Clock
) -> None:
    settle()
    fake.moments.clear()
    scene.frame_end = 100
    service().seconds = 0.2
    with blocked(fake):
        scene.frame_set(60)
        timer.tick()
        clock.advance(2 * QUIET)
        timer.tick()
    assert service().background.settle(LIMIT)
    timer.tick()
    assert not shown(talking).stale
    assert service().background.settle(LIMIT)
    assert seconds_of(fake.moments) == [59]
    settle()
    assert len(fake.moments) > 1


def test_handlers_only_mark(talking: Any, fake: Any, scene: Any) -> None:
    settle()
    fake.moments.clear()
    scene.frame_set(20)
    assert timer._loop is not None
    assert timer._loop.marks.frame
    assert fake.moments == []
    assert not shown(talking).stale  # until the next tick looks


def test_the_timer_ends_after_a_rest(talking: Any, clock: Clock) -> None:
    settle()
    clock.advance(0.9 * timer.REST)
    assert timer.tick() == timer.IDLE
    clock.advance(0.2 * timer.REST)
    assert timer.tick() is None


def test_a_handler_in_another_thread_touches_no_timer(talking: Any, clock: Clock) -> None:
    settle()
    clock.advance(timer.REST)
    assert timer.tick() is None
    if bpy.app.timers.is_registered(timer.tick):
        bpy.app.timers.unregister(timer.tick)
    thread = threading.Thread(target=handlers._on_frame)
    thread.start()
    thread.join()
    assert not bpy.app.timers.is_registered(timer.tick)
    handlers._on_frame()
    assert bpy.app.timers.is_registered(timer.tick)


@pytest.mark.parametrize(
    ("name", "value"),
    [("strength", 0.5), ("audio_offset", 0.01), ("pose_source", "still"), ("mouth_gain", 0.3)],
)
def test_a_changed_control_is_a_new_frame(talking: Any, fake: Any, name: str, value: Any) -> None:
    settle()
    count, version = len(fake.moments), shown(talking).version
    setattr(talking.egstalker, name, value)
    bpy.context.view_layer.update()
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
    timer.mark(scene=True)
    settle()
    assert seconds_of(fake.moments[count:])[0] == 2
    assert not shown(talking).stale


def test_a_moved_strip_is_not_decoded_again(
    talking: Any, fake: Any, scene: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.frame_start = scene.frame_end = 5
    settle()
    digest = head_of(talking).sound.digest
    monkeypatch.setattr(sources, "_sound", lambda track: pytest.fail("decoded again"))
    strip = scene.sequence_editor.strips[0]
    if hasattr(strip, "content_start"):
        strip.content_start += 2
    else:
        strip.frame_start += 2
    timer.mark(scene=True)
    settle()
    assert seconds_of(fake.moments) == [4, 2]
    assert head_of(talking).sound.digest == digest


def test_keyed_controls_are_prefetched_with_their_later_values(
    talking: Any, fake: Any, scene: Any
) -> None:
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
    talking: Any, fake: Any, scene: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.frame_start, scene.frame_end = 1, 100
    settle()
    monkeypatch.setattr(timer, "is_playing", lambda: True)
    fake.moments.clear()
    service().seconds = 0.2  # five frames at 25 a second
    scene.frame_set(50)
    timer.tick()
    assert service().background.settle(LIMIT)
    assert seconds_of(fake.moments)[:2] == [55, 56]
    assert shown(talking).stale
    scene.frame_set(56)
    clock.advance(6 / 25)
    service().seconds = 0.2
    timer.tick()
    assert not shown(talking).stale  # the playhead has come to a frame that is ready


def test_the_start_of_an_engine_is_no_measure_of_its_frames(talking: Any) -> None:
    settle()
    frame = store.store.memory.get(head_of(talking).shown)
    assert frame is not None
    service().seconds = 0.0
    for seconds, smoothed in ((3.0, 3.0), (0.05, 0.05), (0.5, 0.185), (0.2, 0.1895)):
        service()._keep("a" * 40, Computed(frame, True), seconds)
        assert service().seconds == pytest.approx(smoothed)


def test_playing_shows_the_last_frame_it_passed(
    talking: Any, fake: Any, scene: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.frame_start, scene.frame_end = 1, 100
    settle()
    scene.frame_set(50)
    settle()
    monkeypatch.setattr(timer, "is_playing", lambda: True)
    service().seconds = 0.2
    edge = max(n for n, at in head_of(talking).moments.items() if at.key in store.store.memory)
    with blocked(fake):
        scene.frame_set(edge)
        timer.tick()
        assert not shown(talking).stale
        version = shown(talking).version
        scene.frame_set(edge + 2)
        timer.tick()
    assert shown(talking).stale
    assert head_of(talking).shown == head_of(talking).moments[edge].key
    assert shown(talking).version >= version


def test_a_head_without_a_sound_is_shown_at_rest(talking: Any) -> None:
    talking.egstalker.sound_file = ""
    talking.egstalker.sound_source = "FILE"
    timer.mark(scene=True)
    settle()
    at_rest = service().heads[talking.session_uid]
    assert at_rest.avatar is not None
    assert "no sound" in at_rest.reason
    assert shown(talking).stale
    expected = activate(at_rest.avatar.gaussians)
    assert np.array_equal(shown(talking).splats.means, expected.means)


def test_a_tick_looks_up_only_as_many_moments_as_it_has_time_for(
    talking: Any, clock: Clock, scene: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.frame_start, scene.frame_end = 1, 60
    settle()
    head = head_of(talking)
    head.lookup, looked_up = 0, []

    def slow(number: int) -> None:
        looked_up.append(number)
        clock.advance(SURVEY_SECONDS / 4)

    monkeypatch.setattr(head, "moment_at", slow)
    assert service().survey()
    assert 4 <= len(looked_up) <= 6
    while service().survey():
        pass
    assert looked_up == list(range(1, 61))
