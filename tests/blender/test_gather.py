"""Reading the scene: time, range, controls, cameras, sound."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from egstalker.core.errors import ArgumentError, InputError

from tests.support.blender import job_of, track_of_job


def test_a_moving_camera_moves_the_picture_and_the_frame_comes_back(head: Any, scene: Any) -> None:
    bpy.ops.egstalker.add_training_camera()
    camera = scene.camera
    camera.keyframe_insert("location", frame=2)
    camera.location.x += 0.4
    camera.keyframe_insert("location", frame=4)
    head.egstalker.camera_source = "scene"
    scene.frame_set(17, subframe=0.25)
    tasks = job_of(head).frames
    assert (scene.frame_current, scene.frame_subframe) == (17, 0.25)
    steps = np.diff([task.camera.centre[0] for task in tasks])
    assert steps.sum() == pytest.approx(4, abs=1e-3)  # decimetres
    assert (steps > 0).all()


def test_animated_controls_are_read_at_every_frame(head: Any, scene: Any) -> None:
    props = head.egstalker
    for frame, value in ((2, 0.0), (4, 1.0)):
        props.audio_offset = props.strength = value
        props.keyframe_insert("audio_offset", frame=frame)
        props.keyframe_insert("strength", frame=frame)
    tasks = job_of(head).frames
    assert [task.moment.strength for task in tasks] == pytest.approx([0, 0.5, 1])
    seconds = [task.moment.seconds for task in tasks]
    assert seconds == pytest.approx([1 / 25 - 0, 2 / 25 - 0.5, 3 / 25 - 1])


def test_time_follows_the_strip_and_the_frame_rate(head: Any, scene: Any, tmp_path: Path) -> None:
    scene.render.fps, scene.render.fps_base = 30, 1.001
    bpy.ops.egstalker.link_sound_file(filepath=str(tmp_path / "voice.wav"), frame=3)
    assert [t.moment.seconds for t in job_of(head).frames] == pytest.approx(
        [-1.001 / 30, 0, 1.001 / 30]
    )


def test_whole_sound_and_own_range(head: Any, scene: Any) -> None:
    props = head.egstalker
    props.range_source = "SOUND"
    assert [task.number for task in job_of(head).frames] == list(range(1, 26))
    scene.render.fps = 50  # the strip stays a second long
    assert len(job_of(head).frames) == 50
    props.range_source, props.frame_start, props.frame_end = "OWN", 7, 9
    assert [task.number for task in job_of(head).frames] == [7, 8, 9]
    props.frame_end = 6
    with pytest.raises(ArgumentError, match="no frame"):
        job_of(head)


def test_a_linked_file_without_a_strip(head: Any, scene: Any, tmp_path: Path) -> None:
    by_strip, strip_track = job_of(head), track_of_job(head)
    path = str(tmp_path / "voice.wav")
    bpy.ops.egstalker.link_sound_file(filepath=path, add_strip=False)
    assert head.egstalker.sound_source == "FILE"
    by_file = job_of(head)
    assert np.array_equal(track_of_job(head).windows, strip_track.windows)
    assert [t.moment.seconds for t in by_file.frames] == [t.moment.seconds for t in by_strip.frames]


def test_link_sound_takes_a_named_strip_or_the_only_one(head: Any) -> None:
    head.egstalker.sound_source = "FILE"
    assert bpy.ops.egstalker.link_sound() == {"FINISHED"}
    assert (head.egstalker.sound_source, head.egstalker.sound_strip) == ("STRIP", "voice")
    with pytest.raises(RuntimeError, match="'voice'"):
        bpy.ops.egstalker.link_sound(strip="nothing")


def test_a_file_that_is_no_sound_makes_no_strip(head: Any, scene: Any, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="does not exist"):
        bpy.ops.egstalker.link_sound_file(filepath=str(tmp_path / "nothing.wav"))
    assert len(scene.sequence_editor.strips) == 1


def test_a_changed_avatar_is_refused(head: Any) -> None:
    head.egstalker.content_hash = "0" * 64
    with pytest.raises(InputError, match="import the avatar again"):
        job_of(head)


def test_names_cannot_leave_the_folder(head: Any) -> None:
    head.egstalker.file_stem = "../../frame_"
    with pytest.raises(ArgumentError, match="must not leave"):
        job_of(head)


def test_beside_an_unsaved_blend_nothing_can_be_written(head: Any) -> None:
    head.egstalker.output_path = "//egstalker/"
    with pytest.raises(ArgumentError, match="save it first"):
        job_of(head)
