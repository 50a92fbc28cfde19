"""What a farm does to a running bake, and where it runs it. One Blender is enough for these."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import bpy
import pytest
from egstalker.egstalker_blender import cli

from tests.support.blender import ROOT, clean_environment, names, voice, write_wav
from tests.support.waiting import LIMIT, until

pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals"),
    pytest.mark.skipif(bpy.app.version < (5, 3, 0), reason="tried in Blender 5.3"),
]
BATCH = ROOT / "egstalker_blender" / "batch.py"


@pytest.fixture
def options(avatar_path: Path, tmp_path: Path) -> list[str]:
    sound = write_wav(tmp_path / "voice.wav", voice(0.2))
    return ["--avatar", str(avatar_path), "--audio", str(sound), "--out", str(tmp_path / "out")]


def test_a_farm_that_ends_the_whole_process_group(options: list[str], tmp_path: Path) -> None:
    """SIGTERM reaches the worker, too, while it writes."""
    worker = ["--engine", "worker", "--worker-python", sys.executable, "--frames", "1-5000"]
    process = subprocess.Popen(
        [sys.executable, str(BATCH), "--", *options, *worker, "--progress", "openjd"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        env=clean_environment(tmp_path / "profile"),
    )  # fmt: skip
    try:
        until(lambda: [*tmp_path.glob("out/*.png")] or process.poll() is not None)
        os.killpg(process.pid, signal.SIGTERM)
        out, err = process.communicate(timeout=LIMIT)
    finally:
        process.kill()
    assert process.returncode == 130, err
    assert out.splitlines()[-1].startswith("openjd_fail: stopped") and "Traceback" not in err
    left = names(tmp_path / "out")
    assert left and all(name.startswith("frame_") for name in left)  # no temporary file
    assert all((tmp_path / "out" / name).stat().st_size > 100 for name in left)


SOUND_SERVERS = ("PULSE_SERVER", "PIPEWIRE_REMOTE", "JACK_DEFAULT_SERVER", "ALSA_CONFIG_PATH")


def test_a_user_without_home_and_sound_device(options: list[str], tmp_path: Path) -> None:
    names_ = ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR", *SOUND_SERVERS)
    nowhere = {**dict.fromkeys(names_, "/proc/nowhere"), "SDL_AUDIODRIVER": "nothing"}
    worker = ["--engine", "worker", "--worker-python", sys.executable]
    done = subprocess.run(
        [sys.executable, str(BATCH), "--", *options, *worker], capture_output=True, text=True,
        check=False, timeout=LIMIT, env=clean_environment(Path("/proc/nowhere"), **nowhere),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert names(tmp_path / "out") == [f"frame_{number:04d}.png" for number in range(1, 6)]


def test_paths_that_begin_with_two_slashes(
    scene: object, options: list[str], tmp_path: Path
) -> None:
    """So begin shares of a network and, in Blender, paths relative to the .blend. A film, too."""
    shared = [f"/{word}" if word.startswith("/") else word for word in options]
    film = ["--video", f"/{tmp_path}/film.mp4", "--size", "32x32"]
    assert cli.main([*shared, "--engine", "builtin", "--frames", "2", *film]) == 0
    assert names(tmp_path / "out") == ["frame_0002.png"] and (tmp_path / "film.mp4").is_file()
