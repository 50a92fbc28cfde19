"""What a second Blender is handed to mix the voice of a film: sequencers alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np
from egstalker.egstalker_blender.film.voice import voice_of
from egstalker.egstalker_blender.sound import windows
from egstalker.egstalker_blender.sound.mixdown import MIX_RATE

from core.audio.files import load_waveform
from tests.support.blender_film import write_voice
from tests.support.blender_strips import mix_down, noise


def test_sequencers_inside_scene_strips_are_heard_as_blender_plays_them(
    scene: Any, head: Any, tmp_path: Path
) -> None:
    """One in another, twice, at other rates; a muted one is not. The second Blender gets sequencers
    alone, and mixes them: this one does not wait."""
    inner = bpy.data.scenes.new("inner")
    inner.render.fps, inner.frame_start, scene.frame_end = 30, 7, 40
    windows.add_strip(inner, noise(tmp_path / "inner.wav", 1.0, 4), 10).volume = 0.7
    shot = bpy.data.objects.new("shot camera", bpy.data.cameras.new("shot camera"))
    inner.collection.objects.link(shot)
    inner.camera, inner.timeline_markers.new("cut", frame=2).camera = shot, shot
    scene.sequence_editor.strips.new_scene("cut", inner, 4, 12).scene_input = "SEQUENCER"
    edit = bpy.data.scenes.new("edit")
    edit.render.fps = 25
    strips = edit.sequence_editor_create().strips
    for name, played, channel, frame in (
        *(("take", scene, 1, 1), ("take again", inner, 2, 20), ("quiet", inner, 3, 1)),
        *(("picture", scene, 4, 1), ("other", inner, 5, 1)),
    ):
        strip = strips.new_scene(name, played, channel, frame)
        strip.scene_input = "CAMERA" if name == "picture" else "SEQUENCER"
        strip.mute = name == "quiet"
    head.egstalker.sound_scene, head.egstalker.sound_strip = edit.name, "[tqp]*"
    assert write_voice(scene, head, 1, 50, tmp_path / "ours.wav")
    for name in ("other", "picture"):
        strips.remove(strips[name])
    mix_down(edit, 0, 49, tmp_path / "truth.wav", MIX_RATE)  # "picture" shows frame 2 at 1
    ours, truth = (load_waveform(tmp_path / name).samples for name in ("ours.wav", "truth.wav"))
    assert np.abs(truth).max() > 0.1 and len(ours) == len(truth)
    assert np.array_equal(ours, truth)


def test_muted_sounds_are_not_handed_to_the_second_blender(
    scene: Any, head: Any, tmp_path: Path
) -> None:
    """A packed one would be written each time."""
    music = windows.add_strip(scene, noise(tmp_path / "music.wav", 60.0, 3), 1)
    music.sound.pack()
    voice = voice_of(scene, head, 1, 20, tmp_path)
    assert voice is not None and voice.source.stat().st_size < 500_000 < len(
        music.sound.packed_file.data
    )
