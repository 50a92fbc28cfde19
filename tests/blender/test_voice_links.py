"""Which strips drive which head, what the panel says of them, and where they are decoded."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from egstalker.core.errors import ArgumentError
from egstalker.egstalker_blender import bake
from egstalker.egstalker_blender.sound import link, strips, windows
from egstalker.egstalker_blender.sound import voice as voices
from egstalker.egstalker_blender.timeline.heads import _voice_name

from tests.support.blender import track_of_job, voice, waveform_of_strip
from tests.support.blender_strips import (
    moved,
    names,
    noise,
    voice_of,
)


@pytest.fixture
def sounds(scene: Any, tmp_path: Path) -> list[Path]:
    return [noise(tmp_path / f"line {k}.wav", 2.0 + k, k) for k in range(3)]


def test_two_heads_have_their_own_lines(
    scene: Any, head: Any, sounds: list[Path], avatar_path: Path
) -> None:
    bpy.ops.egstalker.import_avatar(filepath=str(avatar_path))
    other = bpy.context.object
    made = [windows.add_strip(scene, path, 1 + 70 * k) for k, path in enumerate(sounds)]
    link.link_strips(scene, head, [made[0], made[2]])
    link.link_strip(scene, other, made[1].name)
    assert names(scene, head) == ["line 0", "line 2"] and names(scene, other) == ["line 1"]
    # One of several strips changes sides; the only one is shared.
    link.link_strip(scene, other, made[2].name)
    assert names(scene, head) == ["line 0"] and names(scene, other) == ["line 2"]
    link.link_strip(scene, other, made[0].name)
    assert names(scene, head) == names(scene, other) == ["line 0"]


def test_the_panel_names_strips_that_drive_nobody(scene: Any, head: Any) -> None:
    strip = windows.sound_strips(scene)[0]
    assert link.strip_lines(scene, head) == []
    lost = windows.add_strip(scene, Path(bpy.path.abspath(strip.sound.filepath)), 60)
    assert link.strip_lines(scene, head) == [
        (f"Of the same sound, driving no head: {lost.name!r}", "ERROR")
    ]
    strip.split(frame=13, split_method="SOFT")
    lost.mute = True
    assert link.strip_lines(scene, head) == [("2 strips, frames 1 to 25", "LINKED")]
    for each in windows.sound_strips(scene):
        each.mute = True
    assert not waveform_of_strip(voice_of(scene, head)).samples.any()


def test_selected_strips_are_linked(scene: Any, head: Any, sounds: list[Path]) -> None:
    for strip in windows.sound_strips(scene):
        strip.select = False
    with pytest.raises(RuntimeError, match="no strip is selected"):
        bpy.ops.egstalker.link_selected_strips()
    made = [windows.add_strip(scene, path, 1) for path in sounds]
    for strip in made:
        strip.select = True
    assert bpy.ops.egstalker.link_selected_strips() == {"FINISHED"}
    assert len(names(scene, head)) == 3
    scene.sequence_editor.strips.remove(made[0])
    strips.settle_marks(scene, [head])
    assert head.egstalker.sound_strip in {strip.name for strip in made[1:]}
    assert len(names(scene, head)) == 2


def test_a_voice_that_moves_as_a_whole_is_not_decoded_again(
    scene: Any, head: Any, sounds: list[Path]
) -> None:
    made = [windows.add_strip(scene, path, 1 + 70 * k) for k, path in enumerate(sounds)]
    link.link_strips(scene, head, made)
    before, start, _ = _voice_name(strips.fingerprint(scene, head))
    for strip in made:
        moved(strip, 30)
    assert _voice_name(strips.fingerprint(scene, head))[:2] == (before, start + 30)
    moved(made[0], 1)
    assert _voice_name(strips.fingerprint(scene, head))[0] != before


def test_packed_pieces_are_decoded_on_another_thread(
    scene: Any, head: Any, sounds: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [windows.add_strip(scene, path, 1 + 70 * k) for k, path in enumerate(sounds)]
    link.link_strips(scene, head, made)
    whole = waveform_of_strip(voice_of(scene, head)).samples
    made[1].sound.pack()
    threads = []
    real = voices.waveform_of_bytes
    monkeypatch.setattr(
        voices,
        "waveform_of_bytes",
        lambda *given: threads.append(threading.current_thread()) or real(*given),
    )
    undecoded = voices.voice_from(voice_of(scene, head))
    assert isinstance(undecoded, voices.Undecoded) and not threads
    assert np.array_equal(waveform_of_strip(voice_of(scene, head)).samples, whole)
    scene.frame_end = 30
    head.egstalker.sound_source = "STRIP"
    track_of_job(head)
    assert threads[-1] is not threading.main_thread()


def test_a_missing_piece_is_named(scene: Any, head: Any, sounds: list[Path]) -> None:
    made = [windows.add_strip(scene, path, 1 + 70 * k) for k, path in enumerate(sounds)]
    link.link_strips(scene, head, made)
    sounds[1].unlink()
    assert "line 1.wav" in bake.blocker(bpy.context)
    made[1].mute = True
    assert bake.blocker(bpy.context) == ""


def test_volume_and_fades_do_not_quieten_the_mouth(scene: Any, head: Any) -> None:
    before = waveform_of_strip(voice_of(scene, head)).samples
    strip = windows.sound_strips(scene)[0]
    strip.volume = 0.0
    assert np.array_equal(waveform_of_strip(voice_of(scene, head)).samples, before)
    assert voice(1.0).any()


def copied(scene: Any, strip: Any, frame: int) -> Any:
    """What Shift D and moving the copy leave: Blender copies the mark, too."""
    copy = windows.add_strip(scene, windows.path_of(strip), frame)
    copy[windows.ID_KEY] = strip[windows.ID_KEY]
    return copy


def test_a_copy_joins_the_voice_until_it_is_linked_to_another_head(
    scene: Any, head: Any, avatar_path: Path
) -> None:
    strip = windows.sound_strips(scene)[0]
    copy = copied(scene, strip, 60)
    assert names(scene, head) == [strip.name, copy.name]
    bpy.ops.egstalker.import_avatar(filepath=str(avatar_path))
    other = bpy.context.object
    link.link_strip(scene, other, copy.name)
    assert names(scene, head) == [strip.name] and names(scene, other) == [copy.name]
    again = copied(scene, copy, 120)  # of the other head now
    assert names(scene, head) == [strip.name] and len(names(scene, other)) == 2
    assert again.name in names(scene, other)


def test_selected_strips_are_unlinked(scene: Any, head: Any) -> None:
    strip = windows.sound_strips(scene)[0]
    copy = copied(scene, strip, 60)
    with pytest.raises(ArgumentError, match="no selected strip is linked to 'tiny head'"):
        link.unlink_strips(scene, head, [])
    for each, selected in ((strip, False), (copy, True)):
        each.select = selected
    assert bpy.ops.egstalker.unlink_selected_strips() == {"FINISHED"}
    assert names(scene, head) == [strip.name]
    strips.settle_marks(scene, [head])
    assert names(scene, head) == [strip.name] and not strips.marks_of(copy)
    strip.select = True
    assert bpy.ops.egstalker.unlink_selected_strips() == {"FINISHED"}
    assert head.egstalker.sound_strip == "" and not strips.marks_of(strip)
    head.egstalker.sound_source = "CHANNEL"
    with pytest.raises(RuntimeError, match="move the strips to another channel"):
        bpy.ops.egstalker.unlink_selected_strips()
