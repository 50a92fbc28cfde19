"""From options to frames and moments."""

from __future__ import annotations

import numpy as np
import pytest

from core.audio.features import track_for
from core.avatar.motion import moment_at
from core.bake.plan import (
    frames_of_sound,
    parse_size,
    training_tasks,
)
from core.errors import ArgumentError
from core.records.timeline import MAX_FRAMES, parse_frames
from tests.support.talking import ROWS, SIZE, small_avatar


@pytest.fixture(scope="module")
def avatar(tmp_path_factory):
    return small_avatar(tmp_path_factory.mktemp("avatar") / "small.egs")


@pytest.mark.parametrize(
    ("text", "frames"),
    [
        ("5", (5,)),
        ("1-4", (1, 2, 3, 4)),
        (" 1 - 3, 20 ", (1, 2, 3, 20)),
        ("3-5,4-6,1", (3, 4, 5, 6, 1)),
        ("0", (0,)),
    ],
)
def test_ranges(text, frames):
    assert parse_frames(text) == frames


@pytest.mark.parametrize(
    "text", ["", "a", "1-", "-5", "5-1", "1,,2", "1.5", "1-999999999", "1-100000,100001", "１"]
)
def test_what_is_no_range_is_refused_in_one_line(text):
    with pytest.raises(ArgumentError) as caught:
        parse_frames(text)
    assert "\n" not in str(caught.value)


def test_the_longest_range_is_allowed():
    assert len(parse_frames(f"1-{MAX_FRAMES}")) == MAX_FRAMES


def test_sizes():
    assert parse_size("640x480") == (640, 480)
    for text in ("", "640", "x", "0x5", "5x0", "99999x1", "-1x5", "1e3x5"):
        with pytest.raises(ArgumentError):
            parse_size(text)


def test_the_default_range_is_the_whole_sound():
    assert frames_of_sound(100, 25) == range(1, 101)
    assert frames_of_sound(100, 24) == range(1, 97)
    assert frames_of_sound(100, 60, first_frame=10) == range(10, 250)
    assert frames_of_sound(100, 25, offset=2) == range(1, 151)
    assert frames_of_sound(100, 25, offset=-10) == range(1, 2)
    assert frames_of_sound(0, 25) == range(1, 2)
    for wrong in ({"fps": 0}, {"fps": float("nan")}, {"fps": 25, "offset": float("inf")}):
        with pytest.raises(ArgumentError):
            frames_of_sound(100, **wrong)
    with pytest.raises(ArgumentError, match="range"):
        frames_of_sound(10**6, 25)


def test_a_frame_is_its_moment_seen_by_the_training_camera(avatar):
    (task,) = training_tasks(avatar, [8], fps=50, first_frame=2, offset=0.04, strength=0.5)
    wanted = moment_at(avatar, 0.08, strength=0.5)
    assert task.number == 8
    assert task.moment.seconds == pytest.approx(0.08)
    assert np.array_equal(task.moment.pose, wanted.pose) and task.moment.strength == 0.5
    assert np.array_equal(task.camera.viewmat, avatar.track.viewmats[2].astype(np.float64))
    (still,) = training_tasks(avatar, [8], pose="still", size=(2 * SIZE, SIZE))
    assert np.array_equal(still.camera.viewmat, avatar.camera.viewmat)
    assert (still.camera.width, still.camera.height) == (2 * SIZE, SIZE)
    with pytest.raises(ArgumentError):
        training_tasks(avatar, [1], strength=float("nan"))


def test_a_talking_avatar_needs_a_sound(avatar, tmp_path):
    with pytest.raises(ArgumentError, match="--audio"):
        track_for(avatar, None)
    windows = np.zeros((ROWS, 16, 29), np.float32)
    np.save(tmp_path / "sound.npy", windows)
    assert len(track_for(avatar, tmp_path / "sound.npy")) == ROWS
