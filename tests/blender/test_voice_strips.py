"""A voice of several strips: pieces, takes on a channel, meta strips, scenes; against Blender's own
mixdown."""

from __future__ import annotations

import itertools
import random
import threading
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from egstalker.core.errors import ArgumentError, AudioError
from egstalker.egstalker_blender import bake
from egstalker.egstalker_blender.gather import read_settings
from egstalker.egstalker_blender.sound import link, strips, windows
from egstalker.egstalker_blender.sound import voice as voices
from egstalker.egstalker_blender.timeline.heads import _voice_name

from core.audio.files import load_waveform
from tests.support.blender import track_of_job, voice, waveform_of_strip, write_wav

RATE = 16000
FPS = 25


def noise(path: Path, seconds: float, seed: int) -> Path:
    """Band-limited: two strips, each placed up to half a sample beside ours, may overlap."""
    count = round(seconds * RATE)
    spectrum = np.fft.rfft(np.random.default_rng(seed).normal(size=count))
    frequency = np.fft.rfftfreq(count, 1 / RATE)
    samples = np.fft.irfft(np.where((frequency > 100) & (frequency < 800), spectrum, 0), count)
    return write_wav(path, np.repeat((0.3 * samples / np.abs(samples).max())[:, None], 2, axis=1))


def put(strip: Any, name: str, older: str, value: float) -> None:
    setattr(strip, name if hasattr(strip, name) else older, value)


def moved(strip: Any, frames: float) -> None:
    name = "content_start" if hasattr(strip, "content_start") else "frame_start"
    setattr(strip, name, getattr(strip, name) + frames)


def voice_of(scene: Any, obj: Any) -> Any:
    return strips.voice_strips(scene, obj)


def names(scene: Any, obj: Any) -> list[str]:
    found = voice_of(scene, obj)
    return (
        [w.name for w in found.windows] if isinstance(found, strips.VoiceStrips) else [found.name]
    )


def mixdown(scene: Any, folder: Path, first: int, last: int) -> np.ndarray:
    """The scene's sound from frame `first` to before `last`, mono at 16 kHz."""
    scene.frame_start, scene.frame_end = first, last - 1
    scene.render.ffmpeg.audio_mixrate = RATE
    path = folder / "mixed.wav"
    bpy.ops.sound.mixdown(filepath=str(path), container="WAV", codec="PCM", format="S16")
    return load_waveform(path).samples


def agrees(scene: Any, obj: Any, folder: Path) -> None:
    """The voice is what Blender plays, to a sample at each strip's place."""
    found = voice_of(scene, obj)
    ours = waveform_of_strip(found).samples
    first, last = int(found.left), int(np.ceil(found.right))
    truth = mixdown(scene, folder, first, last)
    late = round((found.left - first) / FPS * RATE)
    count = min(len(truth) - late, len(ours)) - 1
    assert count > 0.5 * RATE
    # Blender fades the ends of a strip: compare from edge to edge.
    frames = [edge for window in found.windows for edge in (window.left, window.right)]
    edges = {round((frame - found.left) / FPS * RATE) for frame in frames}
    for start, stop in itertools.pairwise(sorted({0, count, *(min(e, count) for e in edges)})):
        if stop - start > 4800:
            inner = slice(start + 1600, stop - 1600)
            there = truth[late + inner.start : late + inner.stop]
            assert distance(there, ours[inner]) < 0.1, (start, stop)


def distance(one: np.ndarray, two: np.ndarray) -> float:
    """Relative, after the best shift by at most two samples, whole or not: Blender's mixer places a
    strip between samples."""
    window = np.hanning(len(one))
    a, b = (np.fft.rfft(each * window) for each in (one, two))
    turn = 2j * np.pi * np.fft.rfftfreq(len(one))
    least = min(np.linalg.norm(a * np.exp(turn * s) - b) for s in np.arange(-2, 2.01, 0.05))
    return float(least / max(np.linalg.norm(b), 1.0))


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
    """Cuts, moves, copies, trims, slips, mutes, groups, in any order."""
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
    before, start = _voice_name(strips.fingerprint(scene, head))
    for strip in made:
        moved(strip, 30)
    assert _voice_name(strips.fingerprint(scene, head)) == (before, start + 30)
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
