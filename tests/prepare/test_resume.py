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


def test_a_run_that_is_killed_goes_on_and_ends_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "killed"
    command = [sys.executable, "-m", "core", "prepare", str(GOLDEN), str(folder), "--size", "128"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    program = subprocess.Popen([*command, "--processes", "2"], cwd=ROOT, **quiet)
    until(lambda: (folder / "parsing/10.png").exists() or program.poll() is not None)
    assert program.poll() is None
    program.kill()
    program.wait()
    stamp = (folder / "parsing/3.png").stat().st_mtime_ns
    prepare(GOLDEN, folder, OPTIONS)
    assert (folder / "parsing/3.png").stat().st_mtime_ns == stamp  # kept, not made again
    prepare(GOLDEN, tmp_path / "whole", OPTIONS)
    assert contents(folder) == contents(tmp_path / "whole")
