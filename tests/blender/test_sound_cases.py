"""What strangers bring, as a strip in the sequencer plays it to a head."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from egstalker.egstalker_blender.sound.windows import add_strip, window_of_strip

from tests.support.blender import waveform_of_strip
from tests.support.sound_cases import CASES, JOINTS, check, check_joined, joined, path_of


@pytest.mark.parametrize("case", CASES)
def test_a_strip_is_the_same_sound(scene: Any, tmp_path: Path, case: str) -> None:
    strip = add_strip(scene, path_of(case, tmp_path), 1)
    check(waveform_of_strip(window_of_strip(scene, strip.name)).samples)


@pytest.mark.parametrize("names", JOINTS)
def test_joined_mp3_files_are_read_to_the_end(
    scene: Any, tmp_path: Path, names: tuple[str, str]
) -> None:
    strip = add_strip(scene, joined(tmp_path, names), 1)
    check_joined(waveform_of_strip(window_of_strip(scene, strip.name)).samples)
