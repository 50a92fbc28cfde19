"""The link from a head to its strip through edits, and when the sound is decoded again."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from egstalker.core.errors import ArgumentError, AudioError
from egstalker.egstalker_blender import bake
from egstalker.egstalker_blender.gather import read_settings
from egstalker.egstalker_blender.sound import strips, windows

from core.audio.files import load_waveform
from tests.support.blender import ramp, voice, waveform_of_strip, write_wav

RATE = 16000
CAN_RETIME = bpy.app.version >= (5, 1)


def linked(scene: Any, obj: Any) -> str:
    return strips.linked_window(scene, obj).name


def the_strip(scene: Any) -> Any:
    return scene.sequence_editor.strips_all[0]


def put(strip: Any, name: str, older: str, value: float) -> None:
    setattr(strip, name if hasattr(strip, name) else older, value)


def test_a_renamed_strip_is_followed(scene: Any, head: Any) -> None:
    the_strip(scene).name = "take two"
    assert linked(scene, head) == "take two"
    assert bake.blocker(bpy.context) == ""
    assert read_settings(scene, head).voice.name == "take two"


def test_the_new_name_is_shown_after_the_next_edit(scene: Any, head: Any) -> None:
    key = head.egstalker.sound_strip_id
    the_strip(scene).name = "take two"
    the_strip(scene).mute = True
    bpy.context.view_layer.update()
    assert head.egstalker.sound_strip == "take two"
    assert head.egstalker.sound_strip_id == key


def test_a_copied_strip_is_part_of_the_voice(scene: Any, head: Any, tmp_path: Path) -> None:
    """It carries the mark; the name does not matter."""
    strip = the_strip(scene)
    copy = windows.add_strip(scene, write_wav(tmp_path / "other.wav", voice(0.5)), 1)
    copy[strips.ID_KEY] = strip[strips.ID_KEY]
    assert linked(scene, head) == strip.name
    strips.settle_marks(scene, [head])
    strip.name = "renamed"
    assert linked(scene, head) == "renamed"
    voiced = strips.voice_strips(scene, head)
    assert isinstance(voiced, strips.VoiceStrips)
    assert {window.name for window in voiced.windows} == {"renamed", copy.name}


def test_duplicated_heads_follow_one_strip(scene: Any, head: Any) -> None:
    bpy.ops.object.duplicate()
    twin = bpy.context.object
    assert twin != head
    the_strip(scene).name = "both"
    strips.settle_marks(scene, [head, twin])
    assert head.egstalker.sound_strip == twin.egstalker.sound_strip == "both"


def test_two_strips_of_one_name_change(scene: Any, head: Any, tmp_path: Path) -> None:
    """Names that are swapped do not swap the voices."""
    first = the_strip(scene)
    second = windows.add_strip(scene, write_wav(tmp_path / "second.wav", voice(0.5)), 1)
    name = first.name
    first.name, second.name = "was first", name
    assert linked(scene, head) == "was first"


def test_a_deleted_strip_is_a_reason(scene: Any, head: Any) -> None:
    scene.sequence_editor.strips.remove(the_strip(scene))
    name = head.egstalker.sound_strip
    assert name in bake.blocker(bpy.context)
    with pytest.raises(ArgumentError, match=name):
        read_settings(scene, head)


def test_missing_sounds_are_reasons(scene: Any, head: Any, tmp_path: Path) -> None:
    strip = the_strip(scene)
    (tmp_path / "voice.wav").unlink()
    assert str(tmp_path / "voice.wav") in bake.blocker(bpy.context)
    bpy.data.sounds.remove(strip.sound)
    assert "no sound" in bake.blocker(bpy.context)
    with pytest.raises(AudioError, match="no sound"):
        read_settings(scene, head)


def test_strips_that_are_no_voice_say_why(scene: Any, head: Any) -> None:
    editor = scene.sequence_editor
    other = bpy.data.scenes.new("other")
    editor.strips.new_scene("a scene", other, 5, 1)
    editor.strips.new_meta("a meta", 6, 1)
    for name, word in (("a scene", "'other'"), ("a meta", "meta")):
        head.egstalker.sound_strip = name
        assert word in bake.blocker(bpy.context)
        with pytest.raises(AudioError, match=word):
            read_settings(scene, head)


def test_a_picked_name_is_marked_at_once(scene: Any, head: Any, tmp_path: Path) -> None:
    second = windows.add_strip(scene, write_wav(tmp_path / "second.wav", voice(0.5)), 1)
    head.egstalker.sound_strip = second.name
    assert head.egstalker.sound_strip_id == second[strips.ID_KEY]
    head.egstalker.sound_strip = ""
    assert head.egstalker.sound_strip_id == ""


def changes(scene: Any, tmp_path: Path) -> dict[str, Any]:
    strip = the_strip(scene)

    def rewrite() -> None:
        path = tmp_path / "voice.wav"
        write_wav(path, voice(1.1))
        os.utime(path, ns=(1, 1))

    def replace() -> None:
        other = write_wav(tmp_path / "other.wav", voice(1.0))
        strip.sound = bpy.data.sounds.load(str(other))

    return {
        "moved": lambda: put(strip, "content_start", "frame_start", 20),
        "trimmed": lambda: put(strip, "right_handle", "frame_final_end", 30),
        "offset": lambda: setattr(strip, "sound_offset", 0.1),
        "muted": lambda: setattr(strip, "mute", True),
        "channel": lambda: setattr(scene.sequence_editor.channels[strip.channel], "mute", True),
        "rate": lambda: setattr(scene.render, "fps", 30),
        "base": lambda: setattr(scene.render, "fps_base", 1.001),
        "file changed": rewrite,
        "replaced": replace,
        "file gone": lambda: (tmp_path / "voice.wav").unlink(),
        "path": lambda: setattr(strip.sound, "filepath", "//nothing.wav"),
        "packed": lambda: strip.sound.pack(),
        "deleted": lambda: scene.sequence_editor.strips.remove(strip),
    }


@pytest.mark.parametrize("what", [
    "moved", "trimmed", "offset", "muted", "channel", "rate", "base", "file changed", "replaced",
    "file gone", "path", "packed", "deleted",
])  # fmt: skip
def test_a_changed_voice_has_another_fingerprint(
    scene: Any, head: Any, tmp_path: Path, what: str
) -> None:
    before = strips.fingerprint(scene, head)
    hash(before)
    bpy.context.view_layer.update()
    assert strips.fingerprint(scene, head) == before
    changes(scene, tmp_path)[what]()
    assert strips.fingerprint(scene, head) != before


def test_what_is_no_change_of_the_voice(scene: Any, head: Any) -> None:
    before = strips.fingerprint(scene, head)
    the_strip(scene).volume = 0.3
    scene.frame_set(7)
    head.location.x = 3
    assert strips.fingerprint(scene, head) == before


def test_a_linked_file_has_a_fingerprint_too(scene: Any, head: Any, tmp_path: Path) -> None:
    props = head.egstalker
    props.sound_source = "FILE"
    assert strips.fingerprint(scene, head) is None
    path = write_wav(tmp_path / "file.wav", voice(0.3))
    props.sound_file = str(path)
    before = strips.fingerprint(scene, head)
    assert before is not None and strips.fingerprint(scene, head) == before
    write_wav(path, voice(0.4))
    assert strips.fingerprint(scene, head) != before


def film(scene: Any, folder: Path, seconds: float) -> Path:
    """A small film with the ramp as its sound, rendered by Blender."""
    path = folder / "film.mkv"
    windows.add_strip(scene, write_wav(folder / "ramp.wav", ramp(seconds)), 1)
    length = "frame_end" if bpy.app.version < (5, 0) else "length"
    scene.sequence_editor.strips.new_effect("plain", "COLOR", 2, 1, **{length: round(seconds * 25)})
    scene.frame_start, scene.frame_end = 1, round(seconds * 25)
    render = scene.render
    render.resolution_x = render.resolution_y = 32
    if hasattr(render.image_settings, "media_type"):
        render.image_settings.media_type = "VIDEO"
    render.image_settings.file_format = "FFMPEG"
    render.ffmpeg.format, render.ffmpeg.codec, render.ffmpeg.audio_codec = "MKV", "FFV1", "PCM"
    render.filepath, render.use_file_extension = str(path), False
    bpy.ops.render.render(animation=True)
    scene.sequence_editor_clear()
    return path


def test_strips_of_video_files(scene: Any, head: Any, tmp_path: Path) -> None:
    path = film(scene, tmp_path, 4.0)
    sound = windows.add_strip(scene, path, 11)
    movie = scene.sequence_editor.strips.new_movie("movie", str(path), 5, 11)
    for strip in (sound, movie):
        put(strip, "left_handle", "frame_final_start", 36)
        head.egstalker.sound_strip = strip.name
        samples = waveform_of_strip(strips.linked_window(scene, head)).samples
        share = 1 / np.sqrt(2)  # of a mono source in a mix of two channels
        assert samples[RATE] == pytest.approx(0.9 * share * 2 / 4, abs=0.01)
    scene.render.fps = 30
    assert "another speed" in bake.blocker(bpy.context)


def test_nothing_here_uses_names_that_go_away(scene: Any, head: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        strips.fingerprint(scene, head)
        strips.settle_marks(scene, [head])
        assert load_waveform(strips.linked_window(scene, head).path)
