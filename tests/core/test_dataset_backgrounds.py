"""Frames that have a background of their own, in bc_imgs/, because the background moves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.testing import assert_array_equal
from PIL import Image

from core.dataset.load import load_clip
from core.dataset.pictures import read_picture
from tests.support.training_inputs import SIDE, make_clip

COLOUR = (20, 200, 90)


def with_own(folder: Path, rows: tuple[int, ...], side: int = SIDE) -> Path:
    """A dataset in which these frames have their own background, without torsos."""
    folder = make_clip(folder)
    for torso in (folder / "torso_imgs").glob("*.png"):
        torso.unlink()
    (folder / "bc_imgs").mkdir()
    for row in rows:
        plain = np.full((side, side, 3), COLOUR, np.uint8)
        plain[:, : row + 1] = 255
        Image.fromarray(plain).save(folder / f"bc_imgs/{row}.png")
    return folder


def test_a_frame_is_trained_on_its_own_background_and_others_on_the_clips(tmp_path: Path) -> None:
    clip = load_clip(with_own(tmp_path / "d", (2, 3)))
    usual = read_picture(clip.folder / "bc.jpg")
    for row in (2, 3, 2):
        frame = clip.decode(row)
        assert_array_equal(frame.background, read_picture(clip.folder / f"bc_imgs/{row}.png"))
        outside = ~frame.head
        assert_array_equal(frame.image[outside], frame.background[outside])
    assert_array_equal(clip.decode(4).background, usual)


def test_a_background_of_another_size_leaves_its_frame_out(tmp_path: Path) -> None:
    clip = load_clip(with_own(tmp_path / "d", (3,), side=SIDE + 2))
    assert 3 not in clip.train_rows and 2 in clip.train_rows
    assert any("bc_imgs" in note for note in clip.notes)
