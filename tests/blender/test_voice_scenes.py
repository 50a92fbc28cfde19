"""Heads that the sequencer of another scene drives, several scenes with one head, and rates that
must not drift within an hour."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from egstalker.core.errors import ArgumentError
from egstalker.egstalker_blender.sound import link, scenes, strips, windows

from core.records.timeline import ROW_RATE
from tests.support.blender import job_of, voice, waveform_of_strip, write_wav
from tests.support.blender_strips import mixdown, put

HOUR = 3600  # seconds
SLOW = 4000  # samples a second of the hour
CLICK = HOUR - 2.0  # seconds


@pytest.fixture
def edit(scene: Any, head: Any, tmp_path: Path) -> Any:
    """Scene "Edit" at 50 frames a second with a strip from frame 101; the head's own scene has
    none."""
    scene.sequence_editor_clear()
    edit = bpy.data.scenes.new("Edit")
    edit.render.fps = 50
    windows.add_strip(edit, write_wav(tmp_path / "line.wav", voice(2.0)), 101)
    return edit


def shot_strip(edit: Any, scene: Any) -> Any:
    """The head's scene, whose range begins at 11, as a strip at frame 81."""
    scene.frame_start, scene.frame_end = 11, 300
    strip = edit.sequence_editor.strips.new_scene("shot", scene, 5, 81)
    strip.scene_input = "CAMERA"
    return strip


def test_frames_count_alike_without_a_scene_strip(edit: Any, head: Any, scene: Any) -> None:
    link.link_strip(edit, head, "line")
    assert (head.egstalker.sound_scene, head.egstalker.sound_strip) == ("Edit", "line")
    found = strips.voice_strips(scene, head)
    assert (found.left, found.right, found.fps) == (101, 201, 50)
    scene.frame_start = scene.frame_end = 126
    (task,) = job_of(head).frames
    assert task.moment.seconds == pytest.approx(0.5)


def test_a_scene_strip_says_which_frame_is_which(edit: Any, head: Any, scene: Any) -> None:
    strip = shot_strip(edit, scene)
    link.link_strip(edit, head, "line")
    assert strips.voice_strips(scene, head).left == 101 - 81 + 11
    put(strip, "content_trim_start", "animation_offset_start", 5)
    start, trim = windows.content_of(strip)
    assert trim == 5
    assert strips.voice_strips(scene, head).left == 101 - start + 11 + 5
    scene.frame_start = scene.frame_end = int(101 - start + 16 + 25)
    (task,) = job_of(head).frames
    head.egstalker.range_source = "OWN"
    # The scene's first frame is where the strip begins, so moving it moves the voice, too.
    assert task.moment.seconds == pytest.approx((25 - (scene.frame_start - 11)) / 50)


def test_many_pieces_are_placed_by_one_look_at_the_strips(
    edit: Any, head: Any, scene: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A panel draws them with each redraw."""
    shot_strip(edit, scene)
    path = write_wav(tmp_path / "more.wav", voice(0.2))
    for frame in (300, 400, 500):
        windows.add_strip(edit, path, frame)
    link.link_strip(edit, head, "*")
    looks, shift = [], scenes._shift
    monkeypatch.setattr(scenes, "_shift", lambda *given: looks.append(given) or shift(*given))
    found = strips.linked_pieces(scene, head)
    assert len(found) == 4 and len(looks) == 1
    assert {piece.window.shift for piece in found} == {11 - 81}


@pytest.mark.skipif(
    bpy.app.version[:2] != (5, 2),
    reason="tried in Blender 5.2 alone: 5.3.0 without a GPU crashes when it renders a scene strip",
)
def test_blender_shows_that_frame(edit: Any, scene: Any) -> None:
    """The truth: the frame of the inner scene while Blender renders one of the outer."""
    shot_strip(edit, scene)
    for each in (edit, scene):
        each.render.engine = "BLENDER_WORKBENCH"
        each.render.resolution_x = each.render.resolution_y = 16
    scene.camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    scene.collection.objects.link(scene.camera)
    seen: list[tuple[str, int]] = []

    def note(rendered: Any, *_: Any) -> None:
        seen.append((rendered.name, rendered.frame_current))

    bpy.app.handlers.render_pre.append(note)
    try:
        edit.frame_set(90)
        with bpy.context.temp_override(scene=edit):
            bpy.ops.render.render()
    finally:
        bpy.app.handlers.render_pre.remove(note)
    assert dict(seen)[scene.name] == 90 + scenes._shift(scene, edit)


@pytest.mark.skipif(bpy.app.version < (5, 1), reason="Blender before 5.1 crashes on retiming keys")
def test_a_retimed_strip_is_mixed_at_its_own_place(edit: Any, head: Any, scene: Any) -> None:
    strip = edit.sequence_editor.strips[0]
    strip.retiming_keys.add(timeline_frame=126)
    link.link_strip(edit, head, "line")
    alone = waveform_of_strip(strips.voice_strips(scene, head)).samples
    shot_strip(edit, scene)
    shifted = strips.voice_strips(scene, head)
    assert shifted.retimed and shifted.left == 31
    assert np.array_equal(waveform_of_strip(shifted).samples, alone)
    assert np.abs(alone).max() > 0.1


def test_a_renamed_scene_is_found_and_a_missing_one_named(edit: Any, head: Any, scene: Any) -> None:
    link.link_strip(edit, head, "line")
    edit.name = "Final Edit"
    assert strips.voice_strips(scene, head).scene == "Final Edit"
    bpy.data.scenes.remove(edit)
    with pytest.raises(ArgumentError, match=r"scene 'Edit', whose .* one of: 'Scene'"):
        strips.voice_strips(scene, head)


def test_an_edit_of_the_other_scene_keeps_the_link(edit: Any, head: Any, scene: Any) -> None:
    link.link_strip(edit, head, "line")
    edit.sequence_editor.strips[0].name = "renamed"
    link._settle(edit, bpy.context.evaluated_depsgraph_get())
    strips.settle_marks(edit, [obj for obj in bpy.data.objects if link._listens(edit, obj)])
    assert head.egstalker.sound_strip == "renamed"
    assert not link._listens(scene, head)


@pytest.mark.skipif(bpy.app.version < (5, 0), reason="the sequencer shows the window's scene")
def test_the_sequencer_of_the_workspace(edit: Any, head: Any, scene: Any, tmp_path: Path) -> None:
    workspace = bpy.context.workspace
    workspace.sequencer_scene = edit
    bpy.ops.egstalker.link_sound()
    assert strips.voice_strips(scene, head).scene == "Edit"
    path = write_wav(tmp_path / "more.wav", voice(0.5))
    bpy.ops.egstalker.link_sound_file(filepath=str(path), frame=5)
    assert [s.name for s in windows.sound_strips(edit)] == ["line", "more"]
    assert windows.sound_strips(scene) == [] and strips.voice_strips(scene, head).left == 5
    workspace.sequencer_scene = None
    bpy.ops.egstalker.link_sound_file(filepath=str(path), frame=7)
    assert workspace.sequencer_scene == scene  # so that the user sees the strip
    assert strips.voice_strips(scene, head).left == 7 and head.egstalker.sound_scene == ""


def test_each_scene_of_a_head_has_its_own_strip(head: Any, scene: Any, tmp_path: Path) -> None:
    other = bpy.data.scenes.new("Other")
    other.collection.objects.link(head)
    windows.add_strip(other, write_wav(tmp_path / "other.wav", voice(0.5)), 40)
    windows.sound_strips(other)[0].name = head.egstalker.sound_strip
    assert strips.voice_strips(scene, head).path.name == "voice.wav"
    found = strips.voice_strips(other, head)
    assert (found.path.name, found.left) == ("other.wav", 40)


@pytest.fixture(scope="module")
def hour(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Silence, and a loud tenth of a second near its end."""
    samples = np.zeros(HOUR * SLOW, "<i2")
    begin = round(CLICK * SLOW)
    samples[begin : begin + SLOW // 10] = 20000
    path = tmp_path_factory.mktemp("hour") / "hour.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SLOW)
        file.writeframes(samples.tobytes())
    return path


@pytest.mark.parametrize(
    ("fps", "base"),
    [(24, 1.001), (30, 1.001), (12, 1), (8, 1), (120, 1), (240, 1), (24, 1.0054461)],
)
def test_an_hour_does_not_drift(
    scene: Any, head: Any, hour: Path, tmp_path: Path, fps: int, base: float
) -> None:
    scene.sequence_editor_clear()
    scene.render.fps, scene.render.fps_base = 25, 1.0
    link.link_file(scene, head, hour, True, 101)
    scene.render.fps, scene.render.fps_base = fps, base  # changed after linking
    found = strips.voice_strips(scene, head)
    heard = found.left + (CLICK - found.skip) * found.fps  # the frame at which it sounds
    first = int(heard - 0.5 * found.fps)
    truth = mixdown(scene, tmp_path, first, int(heard + found.fps))
    played = first + np.argmax(np.abs(truth) > 0.1) / 16000 * found.fps
    assert abs(played - heard) / found.fps < 1 / ROW_RATE
