"""Strips, sound files, objects and scenes of any name."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from egstalker.egstalker_blender.sound.windows import add_strip, window_of_strip

from tests.support.blender import voice, waveform_of_strip, write_wav

NAMES = (
    "Stimme №1 [final] (v2)…🎤",
    unicodedata.normalize("NFD", "Jürgen Ünï é"),  # as a Mac writes it
    "100% fertig {x} #1",
    "ä" * 110 + "x" * 20,  # 240 bytes
    "頭" * 20,  # 60 bytes: Blender 4.5 cuts names at 63
)
pytestmark = pytest.mark.skipif(os.name != "posix", reason="some are no names on Windows")


@pytest.mark.parametrize("name", NAMES)
def test_a_strip_of_any_name(scene: Any, tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    plain = add_strip(scene, write_wav(tmp_path / "plain.wav", voice(0.5)), 1)
    expected = waveform_of_strip(window_of_strip(scene, plain.name)).samples
    strip = add_strip(scene, write_wav(folder / f"{name}.wav", voice(0.5)), 100)
    samples = waveform_of_strip(window_of_strip(scene, strip.name)).samples
    np.testing.assert_array_equal(samples, expected)


@pytest.mark.parametrize("name", NAMES)
def test_a_head_in_a_scene_of_any_name(head: Any, scene: Any, tmp_path: Path, name: str) -> None:
    head.name = scene.name = name
    folder = tmp_path / name
    sound = write_wav(tmp_path / f"{name}.wav", voice(0.5))
    bpy.ops.egstalker.link_sound_file(filepath=str(sound))
    head.egstalker.output_path = f"{folder}/{{scene}}"
    head.egstalker.property_unset("file_stem")
    assert bpy.ops.egstalker.bake() == {"FINISHED"}
    frames = sorted(path.name for path in folder.rglob("*.png"))
    assert [frame[-8:] for frame in frames] == ["0002.png", "0003.png", "0004.png"]
    assert len({frame[:-8] for frame in frames}) == 1
