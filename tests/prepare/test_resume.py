"""A preparation that was killed goes on."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("av", reason="needs PyAV: make prepare")
pytest.importorskip("mediapipe", reason="needs mediapipe: make prepare")

from core.errors import CancelledError
from core.prepare import examined
from core.prepare.face import FaceFinder
from core.prepare.frames import examine_video, write_frames
from core.prepare.options import PrepareOptions
from core.prepare.pipeline import prepare
from core.prepare.step import Step

from ..support.videos import GOLDEN, pictures, write
from ..support.waiting import until

ROOT = Path(__file__).resolve().parents[2]
OPTIONS = PrepareOptions(size=128)


def contents(folder: Path) -> dict[str, bytes]:
    """All files but logs and the unfinished ones of a killed process."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    kept = [path for path in files if path.suffix not in (".log", ".part")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in kept}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The dataset of a run that nobody stopped."""
    folder = tmp_path_factory.mktemp("whole")
    prepare(GOLDEN, folder, OPTIONS)
    return contents(folder)


@pytest.mark.parametrize(
    ("begun", "kept"),
    [
        ("ori_imgs/10.jpg", "ori_imgs/3.jpg"),
        ("prepare/landmarks", "ori_imgs/3.jpg"),
        ("prepare/pose/rounds.npz", "prepare/meshes.npz"),
        ("torso_imgs/10.png", "parsing/3.png"),
    ],
    ids=("frames", "landmarks", "pose", "masks"),
)
def test_a_run_that_is_killed_goes_on_and_ends_the_same(
    tmp_path: Path, whole: dict[str, bytes], begun: str, kept: str
) -> None:
    """It is killed once `begun` is there; the file `kept` is not made again."""
    command = [sys.executable, "-m", "core", "prepare", str(GOLDEN), str(tmp_path), "--size", "128"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    program = subprocess.Popen([*command, "--processes", "2"], cwd=ROOT, **quiet)
    until(lambda: (tmp_path / begun).exists() or program.poll() is not None)
    assert program.poll() is None
    program.kill()
    program.wait()
    stamp = (tmp_path / kept).stat().st_mtime_ns
    prepare(GOLDEN, tmp_path, OPTIONS)
    assert (tmp_path / kept).stat().st_mtime_ns == stamp
    assert contents(tmp_path) == whole


# Kills the preparation in the worst moment: the step has made its files, and nobody knows yet.
KILLED = """
import os, signal, sys
from core.prepare.state import State
finish = State.finish
def killed(self, step, key, facts):
    if step == sys.argv[1]:
        os.kill(os.getpid(), signal.SIGKILL)
    finish(self, step, key, facts)
State.finish = killed
from core.cli import main
main(sys.argv[2:])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no SIGKILL")
@pytest.mark.parametrize(
    ("step", "kept"),
    [("look", None), ("background", "prepare/track.npz"), ("points", "parsing/3.png")],
)
def test_a_run_that_is_killed_at_the_end_of_a_step_ends_the_same(
    tmp_path: Path, whole: dict[str, bytes], step: str, kept: str | None
) -> None:
    """Only that step is done again."""
    command = [sys.executable, "-c", KILLED, step, "prepare", str(GOLDEN), str(tmp_path)]
    done = subprocess.run(
        [*command, "--size", "128", "--processes", "1"], cwd=ROOT, capture_output=True, check=False
    )
    assert done.returncode < 0, done.stderr
    stamp = (tmp_path / kept).stat().st_mtime_ns if kept else 0
    prepare(GOLDEN, tmp_path, OPTIONS)
    assert not kept or (tmp_path / kept).stat().st_mtime_ns == stamp
    assert contents(tmp_path) == whole


def test_a_long_film_that_was_looked_at_in_part_is_not_decoded_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """8 s, stopped after 6.7 s: the second run searches the rest alone, and finds the same square
    and number of frames as one run does."""
    clip = pictures()
    film = write(tmp_path / "film.mp4", (clip + clip[::-1]) * 2, None, rate=28)
    step = Step(
        film, tmp_path, OPTIONS, "look", lambda *seen: None, lambda text: None, lambda: False
    )  # fmt: skip
    step.make("prepare")
    whole_film = examine_video(step, False)
    assert not (step.side / examined.NAME).exists()

    searched: list[int] = []
    find = FaceFinder.find

    def counted(self: FaceFinder, pixels: np.ndarray) -> np.ndarray:
        searched.append(1)
        return find(self, pixels)

    monkeypatch.setattr(examined, "SAVED_EVERY", 0.0)
    monkeypatch.setattr(FaceFinder, "find", counted)
    with pytest.raises(CancelledError):
        examine_video(replace(step, cancelled=lambda: len(searched) == 14), False)
    del searched[:]
    assert examine_video(step, True) == whole_film and len(searched) == 3
    write_frames(step, whole_film, False)
    before = {path: path.read_bytes() for path in (tmp_path / "ori_imgs").iterdir()}
    for row in range(170, whole_film["frames"]):
        step.image(row).unlink()
    write_frames(step, whole_film, True)
    assert {path: path.read_bytes() for path in (tmp_path / "ori_imgs").iterdir()} == before
