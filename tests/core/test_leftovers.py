"""What a killed process leaves on disk is deleted by a later one; what a live one uses stays."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from core.bake.loop import make_folder
from core.engine.cache.disk import DiskCache
from core.engine.shared_files import SharedFiles
from core.errors import OutputError
from core.system import leftovers
from core.system.files import write_atomic
from core.system.leftovers import (
    WEEK,
    owner,
    part_of,
    remove_abandoned,
    remove_parts,
    temporary_folder,
)
from core.training.config import TrainConfig
from core.training.folder import check_places, make_work_folder
from core.training.job import TrainJob
from tests.support.talking import small_avatar
from tests.support.waiting import until


@pytest.fixture(scope="module")
def gone() -> int:
    """The number of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
        return process.pid


def test_a_process_that_runs_is_recognised(gone: int) -> None:
    assert leftovers.runs(os.getpid()) and not leftovers.runs(gone)
    assert leftovers.runs(1)  # of another user, perhaps
    assert not leftovers.runs(10**18)


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_process_that_has_ended_runs_no_more_although_nobody_asked() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.read()  # until it ends; its parent has not asked yet
    until(lambda: not leftovers.runs(child.pid))
    os.kill(child.pid, 0)
    child.communicate()


def test_parts_of_killed_processes_go(tmp_path: Path, gone: int) -> None:
    left = tmp_path / f".a.png.{owner(gone)}.part"
    with_suffix = tmp_path / f".b.usdc.{owner(gone)}.part.usdc"
    mine = part_of(tmp_path / "a.png")
    foreign = tmp_path / f".a.png.00000000-{gone}.part"
    others = [tmp_path / name for name in ("a.png", ".a.part", f"a.{owner(gone)}.part", "x.part")]
    for path in (left, with_suffix, mine, foreign, *others):
        path.touch()
    remove_abandoned(tmp_path)
    assert set(tmp_path.iterdir()) == {mine, foreign, *others}
    for seconds in (-WEEK, WEEK):  # the latter from a clock that was ahead
        foreign.touch()
        os.utime(foreign, (time.time() + 1.1 * seconds,) * 2)
        remove_abandoned(tmp_path)
        assert set(tmp_path.iterdir()) == {mine, *others}
    remove_abandoned(tmp_path / "none")


def test_parts_of_one_process_go(tmp_path: Path, gone: int) -> None:
    left = tmp_path / f".a.png.{owner(gone)}.part"
    left.touch()
    remove_parts(tmp_path, os.getpid())
    assert left.exists()
    remove_parts(tmp_path, gone)
    assert not left.exists()


def test_the_temporary_name_is_the_one_that_is_recognised(tmp_path: Path) -> None:
    class SomeError(Exception):
        pass

    def chunks():
        yield b"x"
        (part,) = tmp_path.iterdir()
        assert leftovers._PART_NAME.fullmatch(part.name)
        raise SomeError

    with pytest.raises(SomeError):
        write_atomic(tmp_path / "a.png", chunks())
    assert not list(tmp_path.iterdir())


def test_a_disk_that_became_read_only_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There even deleting a file that does not exist fails."""

    def refused(*_: object, **_options: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    for name in ("open", "unlink"):
        monkeypatch.setattr(Path, name, refused)
    with pytest.raises(OutputError, match=r"a.png cannot be written: Read-only file system$"):
        write_atomic(tmp_path / "a.png", [b"x"])
    with pytest.raises(OutputError, match=r" cannot be written: Read-only file system$"):
        check_places(TrainJob(tmp_path, tmp_path / "head.egs", tmp_path, TrainConfig()))


def test_whoever_writes_to_a_folder_clears_it(tmp_path: Path, gone: int) -> None:
    def left(folder: Path) -> Path:
        folder.mkdir(exist_ok=True)
        path = folder / f".a.{owner(gone)}.part"
        path.touch()
        return path

    parts = [left(tmp_path / name) for name in ("bake", "cache", "training", "avatar")]
    make_folder(tmp_path / "bake")
    DiskCache(tmp_path / "cache", 1000)
    job = TrainJob(tmp_path, tmp_path / "head.egs", tmp_path / "training", TrainConfig())
    make_work_folder(job)
    small_avatar(tmp_path / "avatar" / "head.egs")
    assert not [part for part in parts if part.exists()]


def test_temporary_folders_of_killed_processes_go(
    tmp_path: Path, gone: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker removes the folder of its killed client, but not if it was killed as well."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    left = tmp_path / f"egstalker-{owner(gone)}-abc"
    (left / "inside").mkdir(parents=True)
    other = tmp_path / "egstalker-notes"
    other.mkdir()
    files = SharedFiles()
    assert set(tmp_path.iterdir()) == {files.folder, other}
    with temporary_folder(tmp_path, ".film.") as second:
        assert set(tmp_path.iterdir()) == {files.folder, other, Path(second)}
    files.close()
    assert list(tmp_path.iterdir()) == [other]
