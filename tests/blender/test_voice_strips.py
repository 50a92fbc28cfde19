"""A voice of several strips: pieces, takes on a channel, meta strips, scenes; against Blender's own
mixdown."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from egstalker.core.errors import ArgumentError, AudioError
from egstalker.egstalker_blender import bake
from egstalker.egstalker_blender.gather import read_settings
from egstalker.egstalker_blender.sound import link, windows

from tests.support.blender import track_of_job
from tests.support.blender_strips import (
    agrees,
    moved,
    names,
    noise,
    put,
    voice_of,
)


@pytest.fixture
def sounds(scene: Any, tmp_path: Path) -> list[Path]:
    return [noise(tmp_path / f"line {k}.wav", 2.0 + k, k) for k in range(3)]


def test_pieces_of_a_cut_strip(scene: Any, head: Any, tmp_path: Path) -> None:
    path = noise(tmp_path / "long.wav", 5.0, 1)
    scene.sequence_editor_clear()
    strip = windows.add_strip(scene, path, 1)
    link.link_strip(scene, head, strip.name)
    right = strip.split(frame=60, split_method="SOFT")
    moved(right, 20)
    bpy.context.view_layer.update()
    assert names(scene, head) == [strip.name, right.name]
    agrees(scene, head, tmp_path)
    again = right.split(frame=100, split_method="HARD")
    again.channel = 3
    moved(again, -70)
    strip.name = "renamed"
    assert len(names(scene, head)) == 3
    agrees(scene, head, tmp_path)
    assert bake.blocker(bpy.context) == ""


def test_the_track_speaks_in_both_pieces(scene: Any, head: Any, tmp_path: Path) -> None:
    """The link before was silent after the cut."""
    whole = track_of_job(head)
    strip = windows.sound_strips(scene)[0]
    right = strip.split(frame=13, split_method="SOFT")
    scene.frame_end = 20
    both = track_of_job(head)
    assert len(both) == len(whole)
    np.testing.assert_allclose(both.windows, whole.windows, rtol=0, atol=1e-3)
    moved(right, 50)
    assert len(track_of_job(head)) == len(whole) + 50


def test_takes_on_a_channel(scene: Any, head: Any, sounds: list[Path], tmp_path: Path) -> None:
    scene.sequence_editor_clear()
    editor = scene.sequence_editor_create()
    for path, frame in zip(sounds, (1, 80, 170), strict=True):
        editor.strips.new_sound(path.stem, str(path), 4, frame)
    editor.strips.new_sound("other", str(sounds[0]), 5, 30)
    head.egstalker.sound_source = "CHANNEL"
    head.egstalker.sound_channel = 4
    assert len(names(scene, head)) == 3
    for strip in editor.strips:
        strip.mute = strip.channel == 5
    agrees(scene, head, tmp_path)
    editor.strips["line 1"].mute = True
    assert names(scene, head) == ["line 0", "line 2"]
    head.egstalker.sound_channel = 9
    with pytest.raises(ArgumentError, match="channel 9 of scene 'Scene' has no strips"):
        read_settings(scene, head)
    assert "channel 9" in bake.blocker(bpy.context)


def test_strips_of_one_name(scene: Any, head: Any, sounds: list[Path]) -> None:
    for path in sounds:
        windows.add_strip(scene, path, 1)
    link.link_strip(scene, head, "line *")
    assert sorted(names(scene, head)) == ["line 0", "line 1", "line 2"]
    with pytest.raises(ArgumentError, match="no sound strip 'other"):
        link.link_strip(scene, head, "other *")
    assert head.egstalker.sound_strip == "line *"


def test_a_meta_strip_is_linked(scene: Any, head: Any, sounds: list[Path], tmp_path: Path) -> None:
    scene.sequence_editor_clear()
    made = [windows.add_strip(scene, path, 1 + 60 * k) for k, path in enumerate(sounds)]
    meta = scene.sequence_editor.strips.new_meta("lines", 7, 1)
    for strip in made:
        strip.move_to_meta(meta)
    put(meta, "right_handle", "frame_final_end", 160)
    put(meta, "left_handle", "frame_final_start", 20)
    link.link_strip(scene, head, "lines")
    found = voice_of(scene, head)
    assert len(found.windows) == 3 and (found.left, found.right) == (20, 160)
    agrees(scene, head, tmp_path)


def test_a_linked_piece_stays_linked_in_a_meta_strip(scene: Any, head: Any, tmp_path: Path) -> None:
    strip = windows.sound_strips(scene)[0]
    right = strip.split(frame=13, split_method="SOFT")
    meta = scene.sequence_editor.strips.new_meta("group", 7, 1)
    put(meta, "right_handle", "frame_final_end", 60)
    for piece in (strip, right):
        piece.move_to_meta(meta)
    assert len(names(scene, head)) == 2 and bake.blocker(bpy.context) == ""


@pytest.mark.parametrize(("fps", "first"), [(25, 1), (25, 11), (50, 1), (24, 5)])
def test_a_scene_inside_a_strip(
    scene: Any, head: Any, sounds: list[Path], tmp_path: Path, fps: int, first: int
) -> None:
    scene.sequence_editor_clear()
    inner = bpy.data.scenes.new("lines")
    inner.render.fps, inner.frame_start, inner.frame_end = fps, first, 300
    for k, path in enumerate(sounds):
        windows.add_strip(inner, path, 21 + 60 * k)
    strip = scene.sequence_editor_create().strips.new_scene("edit", inner, 1, 11)
    with pytest.raises(AudioError, match="plays scene 'lines' without its sound"):
        link.link_strip(scene, head, "edit")
    strip.scene_input = "SEQUENCER"
    put(strip, "left_handle", "frame_final_start", 30)
    link.link_strip(scene, head, "edit")
    assert len(voice_of(scene, head).windows) == 3
    agrees(scene, head, tmp_path)
    inner.sequence_editor.strips[0].mute = True
    assert len(voice_of(scene, head).windows) == 2


@pytest.mark.parametrize("seed", range(6))
def test_any_edit_agrees_with_the_mix_of_blender(
    scene: Any, head: Any, sounds: list[Path], tmp_path: Path, seed: int
) -> None:
    """Cuts, moves, trims, slips and mutes, in any order."""
    chance = random.Random(seed)
    scene.sequence_editor_clear()
    made = [windows.add_strip(scene, path, 1 + 50 * k) for k, path in enumerate(sounds)]
    link.link_strips(scene, head, made)
    for _ in range(6):
        strip = chance.choice([s for s in scene.sequence_editor.strips_all if s.type == "SOUND"])
        left = int(windows.window_of_strip(scene, strip.name).left)
        right = int(windows.right_handle(strip))
        edit = chance.randrange(5)
        if edit == 0 and right - left > 40:
            strip.split(frame=left + 20, split_method="SOFT")
        elif edit == 1:
            moved(strip, chance.randrange(60))
        elif edit == 2 and right - left > 40:
            put(strip, "left_handle", "frame_final_start", left + 10)
        elif edit == 3:
            put(strip, "content_trim_start", "animation_offset_start", chance.randrange(10))
        elif edit == 4:
            strip.mute = not strip.mute
    for strip in made[:1]:
        strip.mute = False
    # One line after another: where strips overlap the sums are compared, too.
    for number, strip in enumerate(scene.sequence_editor.strips_all):
        strip.channel = number + 1
    bpy.context.view_layer.update()
    agrees(scene, head, tmp_path)
