"""Broken frames of a dataset are left out and counted; the masks replace a broken mesh."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from core.dataset.load import load_clip
from core.errors import DatasetError
from tests.support.training_inputs import (
    FRAMES,
    HEAD,
    REST,
    SIDE,
    TRAIN,
    VAL,
    cut,
    disc,
    put,
    write_split,
)

pytestmark = pytest.mark.usefixtures("coarse_hull")


def cut_inside(path: Path) -> None:
    """The middle is gone: first and last bytes stay as they were."""
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 3] + data[-len(data) // 3 :])


def resized(path: Path) -> None:
    Image.new("RGB", (SIDE + 1, SIDE)).save(path)


# What happens to the files of frames 2 and 5 -> what is said of them.
BROKEN: dict[str, tuple[str, Callable[[Path], None], str]] = {
    "image missing": ("ori_imgs/{}.jpg", Path.unlink, "have no picture in ori_imgs"),
    "mask missing": ("parsing/{}.png", Path.unlink, "have no picture in parsing"),
    "torso missing": ("torso_imgs/{}.png", Path.unlink, "have no picture in torso_imgs"),
    "image cut": ("ori_imgs/{}.jpg", cut, "in ori_imgs are cut off"),
    "mask cut": ("parsing/{}.png", cut, "in parsing are cut off"),
    "torso cut": ("torso_imgs/{}.png", cut, "in torso_imgs are cut off"),
    "image empty": ("ori_imgs/{}.jpg", lambda p: cut(p, 0), "in ori_imgs are cut off or no"),
    "image text": ("ori_imgs/{}.jpg", lambda p: put(p, b"hi"), "in ori_imgs are cut off or no"),
    "image size": ("ori_imgs/{}.jpg", resized, "in ori_imgs have another size than 32x32"),
    "mask size": ("parsing/{}.png", resized, "in parsing have another size than 32x32"),
    "image a folder": (
        "ori_imgs/{}.jpg",
        lambda p: (p.unlink(), p.mkdir())[0],
        "in ori_imgs are cut off or no picture",
    ),
    "image a GIF": (
        "ori_imgs/{}.jpg",
        lambda p: Image.new("L", (SIDE, SIDE)).save(p, "GIF"),
        "in ori_imgs are cut off or no picture",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_frames_are_left_out_and_counted(clip_folder: Path, name: str) -> None:
    pattern, spoil, said = BROKEN[name]
    for row in (2, 5, TRAIN + 1):
        spoil(clip_folder / pattern.format(row))
    clip = load_clip(clip_folder)
    assert clip.train_rows == tuple(row for row in range(TRAIN) if row not in (2, 5))
    assert clip.val_rows == tuple(row for row in range(TRAIN, TRAIN + VAL) if row != TRAIN + 1)
    assert len(clip.notes) == 1
    assert clip.notes[0].startswith("3 frames ") and clip.notes[0].endswith("(2, 5, 21)")
    assert said in clip.notes[0]


INSIDE: dict[str, Callable[[Path], None]] = {
    "mask without a head": lambda clip_folder: Image.new("RGB", (SIDE, SIDE), REST).save(
        clip_folder / "parsing/3.png"
    ),
    "torso without alpha": lambda clip_folder: Image.new("RGB", (SIDE, SIDE)).save(
        clip_folder / "torso_imgs/3.png"
    ),
    "mask damaged inside": lambda clip_folder: cut_inside(clip_folder / "parsing/3.png"),
    "torso damaged inside": lambda clip_folder: cut_inside(clip_folder / "torso_imgs/3.png"),
}


@pytest.mark.parametrize("name", INSIDE)
def test_what_only_decoding_finds(clip_folder: Path, name: str) -> None:
    INSIDE[name](clip_folder)
    assert 3 in load_clip(clip_folder).train_rows  # a fast check decodes a few others
    with pytest.raises(DatasetError, match=r"3\.png"):
        load_clip(clip_folder).frame(3)
    clip = load_clip(clip_folder, check="all")
    assert clip.train_rows == tuple(row for row in range(TRAIN) if row != 3)
    assert any(note.startswith("1 frame cannot be decoded or used") for note in clip.notes)
    assert any("3.png" in note for note in clip.notes)


def test_a_fast_check_looks_at_every_frame_where_one_of_its_few_is_broken(
    clip_folder: Path,
) -> None:
    for row in (0, 3):
        cut_inside(clip_folder / f"parsing/{row}.png")
    clip = load_clip(clip_folder)
    assert clip.train_rows == tuple(row for row in range(TRAIN) if row not in (0, 3))


def test_a_frame_that_breaks_later_is_named(clip_folder: Path) -> None:
    clip = load_clip(clip_folder)
    (clip_folder / "ori_imgs/4.jpg").unlink()
    with pytest.raises(DatasetError, match=r"4\.jpg does not exist"):
        clip.frame(4)
    with pytest.raises(DatasetError, match=r"parsing/99\.png does not exist"):
        clip.mask(99)


def test_frames_without_a_pose_are_left_out(clip_folder: Path) -> None:
    content = torch.load(clip_folder / "track_params.pt", weights_only=True)
    content["euler"][3, 1] = torch.nan
    content["trans"][6] = torch.inf
    content["trans"][7] = 1e30
    torch.save(content, clip_folder / "track_params.pt")
    clip = load_clip(clip_folder)
    assert not {3, 6, 7} & set(clip.train_rows) and len(clip.train_rows) == TRAIN - 3
    assert clip.notes == ("3 frames have no pose in track_params.pt: left out (3, 6, 7)",)


def test_a_mesh_with_frames_that_are_not_finite(clip_folder: Path) -> None:
    expected = load_clip(clip_folder).points
    content = torch.load(clip_folder / "track_params.pt", weights_only=True)
    content["vertices"][3, 7, 1] = torch.nan
    torch.save(content, clip_folder / "track_params.pt")
    np.testing.assert_allclose(load_clip(clip_folder).points, expected, atol=5e-3)


ODD = [-1, FRAMES, 10**9, 2**70, 1.0, "3", "../../x", None, True, [2], {"a": 1}, 1e308]


def test_frame_numbers_that_are_none_are_left_out(clip_folder: Path) -> None:
    write_split(clip_folder, "train", [*range(TRAIN), *ODD])
    document = json.loads((clip_folder / "transforms_train.json").read_text())
    document["frames"] += [3, None, {}, []]
    (clip_folder / "transforms_train.json").write_text(json.dumps(document))
    clip = load_clip(clip_folder)
    assert clip.train_rows == tuple(range(TRAIN))
    assert clip.notes[0].startswith(f"{len(ODD) + 4} entries of transforms_train.json")


def test_file_names_that_are_no_frame_numbers_are_nobodys(clip_folder: Path) -> None:
    for name in ("-1.jpg", "1e1.jpg", "٣.jpg", "3 .jpg", "x.jpg", ".jpg", "9" * 200):
        put(clip_folder / "ori_imgs" / name, b"")
    put(clip_folder / "parsing/3.jpg", b"")
    put(clip_folder / "ori_imgs" / ("9" * 240 + ".jpg"), b"")
    assert load_clip(clip_folder).notes == ()


MESHES: dict[str, Any] = {
    "whole numbers": torch.zeros(FRAMES, 2000, 3, dtype=torch.int64),
    "two axes": torch.zeros(2000, 3),
    "four values": torch.zeros(2, 2000, 4),
    "no frames": torch.zeros(0, 2000, 3),
    "no points": torch.zeros(3, 0, 3),
    "all zero": torch.zeros(3, 2000, 3),
    "flat": torch.rand(3, 2000, 3) * torch.tensor([1.0, 1.0, 0.0]),
    "NaN": torch.full((3, 2000, 3), torch.nan),
    "a view of one number": torch.zeros(1, 1, 1).expand(2**20, 2**20, 3),
    "behind the camera": 100 + torch.rand(1, 2000, 3),
    "sparse": torch.zeros(3, 2000, 3).to_sparse(),
    "a list": [1.0, 2.0],
    "text": "vertices",
}


@pytest.mark.parametrize("name", MESHES)
def test_a_mesh_that_is_none_gives_way_to_the_masks(clip_folder: Path, name: str) -> None:
    content = torch.load(clip_folder / "track_params.pt", weights_only=True)
    torch.save(content | {"vertices": MESHES[name]}, clip_folder / "track_params.pt")
    clip = load_clip(clip_folder)
    assert len(clip.points) == 30_000 and np.isfinite(clip.points).all()
    assert any("the first points come from the masks" in note for note in clip.notes)


def test_a_huge_picture_is_refused_before_it_is_decoded(clip_folder: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        Image.new("1", (12_000, 12_000)).save(clip_folder / "parsing/2.png")
    assert 2 not in load_clip(clip_folder).train_rows


def test_a_mask_with_alpha_or_a_palette_is_read_as_its_colours(clip_folder: Path) -> None:
    mask = np.where(disc(4)[..., None], HEAD, REST).astype(np.uint8)
    Image.fromarray(mask).quantize(4).save(clip_folder / "parsing/4.png")
    clip = load_clip(clip_folder, check="all")
    np.testing.assert_array_equal(clip.frame(4).head, disc(4))


def test_bytes_behind_a_whole_picture_do_no_harm(clip_folder: Path) -> None:
    for path in (clip_folder / "ori_imgs/4.jpg", clip_folder / "parsing/5.png"):
        path.write_bytes(path.read_bytes() + bytes(500))
    assert load_clip(clip_folder).notes == ()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_is_no_picture_and_nobody_waits_for_it(clip_folder: Path) -> None:
    for name in ("ori_imgs/4.jpg", "ori_imgs/5.lms"):
        (clip_folder / name).unlink()
        os.mkfifo(clip_folder / name)
    clip = load_clip(clip_folder)
    assert 4 not in clip.train_rows and clip.frame(5).lips is None
