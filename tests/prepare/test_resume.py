"""A preparation that was killed goes on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("av", reason="needs PyAV: make prepare")
pytest.importorskip("mediapipe", reason="needs mediapipe: make prepare")

from core.prepare.options import PrepareOptions
from core.prepare.pipeline import prepare

from ..support.videos import GOLDEN
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
