"""How a bake fails on a farm: exit codes and the files that are left (docs/farm.md has a table)."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from core import cli
from core.avatar.file import load_avatar
from core.engine.builtin import BuiltinEngine
from core.engine.choose import open_engine
from core.system import leftovers
from core.system.leftovers import part_of, remove_parts
from tests.support.talking import files, job_for, small_avatar, sound
from tests.support.waiting import LIMIT

ROOT = Path(__file__).resolve().parents[2]
posix = pytest.mark.skipif(os.name != "posix", reason="needs a POSIX system")


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an avatar and features."""
    folder = tmp_path_factory.mktemp("Köpfe 100% {x}")
    small_avatar(folder / "small.egs")
    np.save(folder / "sound.npy", sound().windows)
    return folder


def render(given: Path, out: Path, *options: str) -> int:
    words = [given / "small.egs", "--audio", given / "sound.npy", "--out", out, *options]
    return cli.main(["render", *map(str, words), "--engine", "builtin", "--backend", "numpy"])


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    if (
        sys.platform != "linux"
        or subprocess.run(mount, capture_output=True, check=False).returncode
    ):
        pytest.skip("needs the right to mount a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_is_full_keeps_whole_frames(
    given: Path, disk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--frames", "1-12", "--size", "128x128", "--format", "exr")
    assert render(given, tmp_path / "whole", *options) == 0
    whole = files(tmp_path / "whole")
    assert sum(map(len, whole.values())) > 1 << 18
    capsys.readouterr()
    assert render(given, disk, *options) == 1
    assert "No space left on device" in capsys.readouterr().err
    left = files(disk)
    assert 0 < len(left) < 12 and left == {name: whole[name] for name in left}


def test_a_read_only_disk_is_one_line_before_the_first_frame(
    given: Path, disk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    for out in (disk, disk / "frames"):
        assert render(given, out, "--frames", "1-2") == 1
        error = capsys.readouterr().err.strip()
        assert len(error.splitlines()) == 1 and str(out) in error
    assert files(disk) == {}


BAKE = """
import sys
from pathlib import Path
from core.avatar.file import load_avatar
from core.engine.builtin import BuiltinEngine
from tests.support.talking import job_for
path, out = map(Path, sys.argv[1:])
job = job_for(path, load_avatar(path), out, count=6)
print("ready", flush=True)
sys.stdin.readline()
for progress in BuiltinEngine("numpy").bake(job):
    assert progress.path is None or progress.path.stat().st_size > 100
"""


def test_ten_jobs_write_the_same_frames_into_one_folder(given: Path, tmp_path: Path) -> None:
    egs = given / "small.egs"
    command = [sys.executable, "-c", BAKE, str(egs), str(tmp_path / "out")]
    jobs = [
        subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(10)
    ]
    try:
        for job in jobs:
            assert job.stdout and job.stdout.readline() == "ready\n"
        for job in jobs:
            assert job.stdin
            job.stdin.write("go\n")
            job.stdin.flush()
        for job in jobs:
            job.communicate(timeout=LIMIT)
        assert [job.returncode for job in jobs] == [0] * 10
    finally:
        for job in jobs:
            job.kill()
    alone = job_for(egs, load_avatar(egs), tmp_path / "one", count=6)
    assert [step.number for step in BuiltinEngine("numpy").bake(alone)][-1] == 6
    assert files(tmp_path / "out") == files(tmp_path / "one")


def test_two_machines_never_write_the_same_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Containers have the same few process numbers."""
    frame = tmp_path / "frame_0001.png"
    mine = part_of(frame)
    monkeypatch.setattr(leftovers.platform, "node", lambda: "another")
    leftovers.system_tag.cache_clear()
    try:
        theirs = part_of(frame)
        assert mine != theirs and mine.name.startswith(".frame_0001.png.")
        for part in (mine, theirs):
            part.write_bytes(b"half")
        remove_parts(tmp_path, os.getpid())
        assert [*tmp_path.iterdir()] == [mine]
    finally:
        leftovers.system_tag.cache_clear()


@posix
def test_a_user_without_a_home_bakes_in_a_worker(
    given: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = "/proc/nowhere"
    for name in ("HOME", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, nowhere)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    engine = open_engine("worker", Path(sys.executable), backend="numpy")
    try:
        egs = given / "small.egs"
        list(engine.bake(job_for(egs, small_avatar(egs), tmp_path / "out", count=2)))
        assert engine.status().name == "worker"
    finally:
        engine.close()
    assert [*files(tmp_path / "out")] == ["frame_0001.png", "frame_0002.png"]
    (log,) = tmp_path.glob("egstalker_log_*/worker.log")
    assert log.parent.stat().st_mode & 0o077 == 0  # nobody else's
