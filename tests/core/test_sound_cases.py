"""What strangers bring, as the command line, evaluations and trainings read it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from core.audio.files import load_waveform, sound_length
from core.audio.joined import header_frames
from core.errors import AudioError
from tests.support.sound_cases import CASES, JOINTS, check, check_joined, joined, path_of

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


@pytest.mark.parametrize("names", JOINTS)
def test_joined_mp3_files_are_read_to_the_end(tmp_path: Path, names: tuple[str, str]) -> None:
    pytest.importorskip("soundfile", reason="needs soundfile")
    check_joined(load_waveform(joined(tmp_path, names)).samples)


@pytest.mark.parametrize("case", ["click.mp3", "click_vbr.mp3", "MP3 with a cover"])
def test_one_mp3_is_not_taken_for_joined_ones(tmp_path: Path, case: str) -> None:
    data = path_of(case, tmp_path).read_bytes()
    path = tmp_path / "tagged.mp3"
    for tag in (b"", b"TAG" + bytes(125), b"APETAGEX" + bytes(999)):
        path.write_bytes(data + tag)
        assert header_frames(path) == []


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
