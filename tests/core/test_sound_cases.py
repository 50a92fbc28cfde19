"""What strangers bring, as the command line, evaluations and trainings read it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from core.audio.files import load_waveform, sound_length
from core.errors import AudioError
from tests.support.sound_cases import CASES, check, path_of

NEED_FFMPEG = (".aac", ".m4a")


@pytest.mark.parametrize("case", CASES)
def test_a_file_is_the_same_sound(tmp_path: Path, case: str) -> None:
    path = path_of(case, tmp_path)
    if path.suffix != ".wav":
        pytest.importorskip("soundfile", reason="needs soundfile")
    if path.suffix in NEED_FFMPEG and not shutil.which("ffmpeg"):
        pytest.skip("needs the program ffmpeg")
    found = load_waveform(path)
    check(found.samples)
    assert sound_length(path) in (None, len(found))


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="needs the program ffmpeg")
def test_ffmpeg_is_found_that_was_installed_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    audioread = pytest.importorskip("audioread", reason="needs audioread")
    with monkeypatch.context() as patch:
        patch.setenv("PATH", str(tmp_path))
        audioread.available_backends(flush_cache=True)
        with pytest.raises(AudioError, match="needs the program ffmpeg"):
            load_waveform(path_of("click.m4a", tmp_path))
    check(load_waveform(path_of("click.m4a", tmp_path)).samples)
