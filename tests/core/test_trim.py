"""Files that can be made again do not fill the disk, and none in use is deleted."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from core.system.trim import DAY, touch, trim, trim_folders

NOW = 1_800_000_000.0
NAMES = re.compile(r"[a-f]\.egs")


def left(folder: Path, budget: int = 1000, kept: tuple[str, ...] = ()) -> str:
    """The letters of the files that stay."""
    trim(folder, NAMES, [folder / f"{name}.egs" for name in kept], budget, clock=lambda: NOW)
    return "".join(sorted(path.stem for path in folder.glob("?.egs")))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files of ten bytes, used 0, 1.5, 3, 4 and 40 days ago."""
    for name, days in zip("abcde", (0, 1.5, 3, 4, 40), strict=True):
        (tmp_path / f"{name}.egs").write_bytes(bytes(10))
        os.utime(tmp_path / f"{name}.egs", (NOW - days * DAY,) * 2)
    return tmp_path


def test_what_is_unused_for_a_month_goes(folder: Path) -> None:
    assert left(folder) == "abcd"


def test_beyond_the_budget_the_least_recently_used_go(folder: Path) -> None:
    assert left(folder, budget=20) == "ab"


def test_files_of_a_day_and_files_in_use_stay(folder: Path) -> None:
    assert left(folder, budget=0, kept=("d", "e")) == "ade"


def test_a_file_of_the_future_counts_as_old(folder: Path) -> None:
    os.utime(folder / "c.egs", (NOW + 400 * DAY,) * 2)
    os.utime(folder / "d.egs", (NOW + DAY / 2,) * 2)  # a clock that is a little ahead
    assert left(folder) == "abd"


def test_other_names_folders_and_links_stay(folder: Path, tmp_path: Path) -> None:
    for name in ("x.egs", "a.egs.part"):
        (folder / name).touch()
        os.utime(folder / name, (0, 0))
    (folder / "f.egs").mkdir()
    os.utime(folder / "f.egs", (0, 0))
    trim(folder, NAMES, (), 0, clock=lambda: NOW)
    assert {path.name for path in folder.iterdir()} == {"a.egs", "x.egs", "a.egs.part", "f.egs"}


def test_folders_unused_for_a_month_go_with_their_files(tmp_path: Path) -> None:
    for name, days in zip(("ab", "cd", "ef", "other"), (40, 3, 40, 40), strict=True):
        (tmp_path / name / "inside").mkdir(parents=True)
        (tmp_path / name / "file").touch()
        os.utime(tmp_path / name, (NOW - days * DAY,) * 2)
    trim_folders(tmp_path, re.compile("[a-f]{2}"), tmp_path / "ef", clock=lambda: NOW)
    assert {path.name for path in tmp_path.iterdir()} == {"cd", "ef", "other"}


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    trim(tmp_path / "none", NAMES, (), 0)
    touch(tmp_path / "none")
