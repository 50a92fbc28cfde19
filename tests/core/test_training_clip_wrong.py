"""Faulty dataset folders: bad frames are left out and counted; one line names other faults."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.dataset.load import load_clip
from core.dataset.report import Report
from core.errors import DatasetError, EgsError, MissingPackageError
from tests.support.training_inputs import TRAIN, cut, put, write_split, write_track

pytestmark = pytest.mark.usefixtures("coarse_hull")


WRONG: dict[str, tuple[Callable[[Path], Any], str]] = {
    "no images": (lambda f: shutil.rmtree(f / "ori_imgs"), "ori_imgs cannot be read: No such"),
    "no masks": (lambda f: shutil.rmtree(f / "parsing"), "parsing cannot be read: No such"),
    "masks a file": (
        lambda f: (shutil.rmtree(f / "parsing"), put(f / "parsing", b"")),
        "parsing cannot be read",
    ),
    "no bc.jpg": (lambda f: (f / "bc.jpg").unlink(), r"bc\.jpg does not exist"),
    "bc.jpg cut": (lambda f: cut(f / "bc.jpg"), r"bc\.jpg is not a readable"),
    "no track": (lambda f: (f / "track_params.pt").unlink(), "poses are not known; track the clip"),
    "track cut": (lambda f: cut(f / "track_params.pt"), "is cut off or damaged"),
    "no transforms": (lambda f: (f / "transforms_train.json").unlink(), "does not exist"),
    "transforms cut": (lambda f: cut(f / "transforms_train.json"), "is not valid JSON"),
    "val cut": (lambda f: cut(f / "transforms_val.json"), r"val\.json is not valid JSON"),
    "val lens": (
        lambda f: write_split(f, "val", [20], focal_len=99),
        r"transforms_val\.json has another focal length",
    ),
    "train empty": (lambda f: write_split(f, "train", []), "0 of the 0 frames"),
    "train object": (
        lambda f: write_split(f, "train", [1], frames={"0": 1}),
        "0 of the 0 frames",
    ),
    "few frames": (lambda f: write_split(f, "train", list(range(7))), "7 of the 7 frames"),
    "other size": (
        lambda f: [
            write_split(f, name, list(range(9)), cx=20.0) for name in ("train", "val", "more")
        ],
        "32x32 pixels, transforms_train.json says 40x32",
    ),
    "eyes short": (
        lambda f: (f / "au.csv").write_text("AU45_r\n1\n1\n"),
        r"au\.csv has 2 rows",
    ),
    "eyes words": (lambda f: (f / "au.csv").write_text("AU45_r\nx\n"), "not a table of numbers"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_named(clip_folder: Path, name: str) -> None:
    spoil, said = WRONG[name]
    spoil(clip_folder)
    with pytest.raises(DatasetError, match=said) as caught:
        load_clip(clip_folder)
    assert "\n" not in str(caught.value)


def test_everything_that_is_wrong_is_in_one_error_and_nothing_else(clip_folder: Path) -> None:
    (clip_folder / "track_params.pt").unlink()
    (clip_folder / "bc.jpg").unlink()
    cut(clip_folder / "transforms_val.json")
    shutil.rmtree(clip_folder / "parsing")
    with pytest.raises(DatasetError) as caught:
        load_clip(clip_folder)
    text = str(caught.value)
    assert text.startswith("4 things are wrong with the dataset: (1) ") and "\n" not in text
    assert all(part in text for part in ("track_params.pt", "bc.jpg", "val.json", "parsing"))


def test_too_few_whole_frames_say_what_became_of_the_others(clip_folder: Path) -> None:
    for row in range(13):
        (clip_folder / f"parsing/{row}.png").unlink()
    with pytest.raises(DatasetError) as caught:
        load_clip(clip_folder)
    text = str(caught.value)
    assert "7 of the 20 frames" in text
    assert "13 frames have no picture in parsing: left out (0, 1, 2, 3, 4, ...)" in text


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is not a folder"):
        load_clip(tmp_path / "none")


def test_a_track_of_another_clip_meets_in_no_head(clip_folder: Path) -> None:
    write_track(clip_folder, None)
    content = torch.load(clip_folder / "track_params.pt", weights_only=True)
    content["trans"][::2, 0] += 2.0
    torch.save(content, clip_folder / "track_params.pt")
    with pytest.raises(DatasetError, match="do not meet in one body"):
        load_clip(clip_folder)


class Hostile:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def test_a_hostile_track_is_refused_and_nothing_runs(clip_folder: Path, tmp_path: Path) -> None:
    content = torch.load(clip_folder / "track_params.pt", weights_only=True)
    torch.save(content | {"id": Hostile(tmp_path / "ran")}, clip_folder / "track_params.pt")
    with pytest.raises(DatasetError, match="cannot be read as tensors"):
        load_clip(clip_folder)
    assert not (tmp_path / "ran").exists()


def test_without_pillow_the_error_says_what_to_install(
    clip_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "PIL", None)
    with pytest.raises(MissingPackageError, match="pip install pillow"):
        load_clip(clip_folder)


def test_a_report_names_the_first_of_many() -> None:
    report = Report()
    for row in (9, 3, 3, 1, 2, 8, 5):
        report.frame(row, "are odd")
    report.frame(4, "are even")
    report.notes.append("n")
    assert report.finish() == ("n", "6 frames are odd (1, 2, 3, 5, 8, ...)", "1 frame are even (4)")


FILES = (
    "transforms_train.json",
    "transforms_val.json",
    "track_params.pt",
    "au.csv",
    "bc.jpg",
    "ori_imgs/0.jpg",
    "ori_imgs/0.lms",
    "parsing/0.png",
    "torso_imgs/0.png",
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_damage_is_a_dataset_error_or_a_note(whole_clip: Path, data: st.DataObject) -> None:
    """Bytes changed, cut or put in, anywhere in one file: an error of ours, or a clip whose frames
    can be read or say why not."""
    name = data.draw(st.sampled_from(FILES))
    path = whole_clip / name
    original = path.read_bytes()
    spoiled = bytearray(original)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(spoiled)))
        kind = data.draw(st.sampled_from(("change", "cut", "insert")))
        some = data.draw(st.binary(min_size=1, max_size=8))
        if kind == "cut":
            del spoiled[at:]
        else:
            spoiled[at : at + (len(some) if kind == "change" else 0)] = some
    try:
        path.write_bytes(spoiled)
        clip = load_clip(whole_clip)
        for row in (0, TRAIN - 1):
            clip.frame(row)
    except EgsError as error:
        assert "\n" not in str(error)
    finally:
        path.write_bytes(original)
