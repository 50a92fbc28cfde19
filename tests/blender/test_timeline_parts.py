"""The plain functions: order of frames, frame to show, runs of the bar, stopwatch."""

from __future__ import annotations

from egstalker.egstalker_blender.timeline import wanted
from egstalker.egstalker_blender.timeline.bar import runs
from egstalker.egstalker_blender.timeline.stopwatch import Stopwatch


def test_direction_follows_small_steps_and_forgets_clicks() -> None:
    assert wanted.direction_of(5, 6, 0, False) == 1
    assert wanted.direction_of(6, 5, 1, False) == -1
    assert wanted.direction_of(5, 5, -1, False) == -1
    assert wanted.direction_of(5, 90, 1, False) == 0
    assert wanted.direction_of(90, 1, 1, True) == 1  # the loop begins again
    assert wanted.direction_of(1, 90, -1, True) == -1
    assert wanted.direction_of(1, 1, 0, True) == 1


def test_frames_begin_as_far_ahead_as_they_take() -> None:
    assert wanted.lead_of(0.0, 25) == 1
    assert wanted.lead_of(0.03, 25) == 2
    assert wanted.lead_of(0.05, 25) == 3
    assert wanted.lead_of(0.31, 25) == 9
    for seconds in (0.01, 0.07, 0.5):  # in time, even where the playhead is about to move
        assert (wanted.lead_of(seconds, 25) - 1) / 25 >= seconds


def test_speed_is_what_playback_really_makes() -> None:
    assert wanted.speed_of(25, 1, 0.04, 25) == 25
    assert wanted.speed_of(25, 10, 0.1, 25) == 25  # never faster than the scene
    slow = 25.0
    for _ in range(10):  # a window that draws twice a second, every frame
        slow = wanted.speed_of(slow, 1, 0.5, 25)
    assert abs(slow - 2) < 0.1
    assert wanted.speed_of(7, -191, 0.1, 25) == 7  # the loop
    assert wanted.speed_of(7, 1, 0.0, 25) == 7


def test_playing_goes_on_at_the_other_end_of_the_range() -> None:
    assert wanted.playing_order(9, 1, 2, 1, 10, count=3) == [1, 2, 3, 9, 10]
    assert wanted.playing_order(2, -1, 1, 1, 10, count=3) == [1, 10, 9, 2]
    assert wanted.playing_order(5, 0, 1, 1, 5, count=9) == [1, 2, 3, 4, 5]  # each once
    assert wanted.playing_order(5, 1, 1, 9, 3, count=2) == [6, 7, 5]  # no range


def test_at_rest_the_frame_comes_first_then_its_neighbours() -> None:
    assert wanted.resting_order(5, 0, 4, 7)[:4] == [5, 6, 4, 7]
    assert wanted.resting_order(5, -1, 1, 7) == [5, 4, 6, 3, 7, 2, 1]
    assert wanted.resting_order(500, 1, 1, 7) == [500]  # outside the range, but there
    ahead = wanted.resting_order(100, 1, 1, 1000)
    assert max(ahead) - 100 == wanted.AHEAD
    assert 100 - min(ahead) == wanted.BEHIND


def test_the_frame_shown_instead_was_passed_shortly_before() -> None:
    ready = {3, 8, 11}.__contains__
    assert wanted.nearest(10, 1, 5, ready) == 8
    assert wanted.nearest(10, -1, 5, ready) == 11
    assert wanted.nearest(7, 1, 3, ready) is None  # 8 is still to come, 3 is too old
    assert wanted.nearest(8, 1, 0, ready) == 8


def test_runs_are_the_longest_stretches() -> None:
    places = {2: "memory", 3: "memory", 4: "disk"}
    assert list(runs(1, 6, lambda n: places.get(n, ""))) == [
        (1, 1, ""),
        (2, 3, "memory"),
        (4, 4, "disk"),
        (5, 6, ""),
    ]
    assert list(runs(1, 1, lambda n: "")) == [(1, 1, "")]


def test_the_stopwatch_keeps_the_longest_of_each_cause() -> None:
    times = iter((0.0, 1.0, 10.0, 13.0, 20.0, 22.0))
    stopwatch = Stopwatch(lambda: next(times))
    for cause in ("tick", "tick", "bar"):
        with stopwatch.measure(cause):
            pass
    assert stopwatch.longest == {"tick": 3.0, "bar": 2.0}
    stopwatch.reset()
    assert stopwatch.longest == {}
