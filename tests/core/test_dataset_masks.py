"""Which pixels of parsing/ are the head, in the colours of several tools."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.dataset.load import load_clip
from core.dataset.masks import head_mask, notes_of
from core.errors import DatasetError
from core.prepare.mask_regions import to_regions
from tests.support.training_inputs import FRAMES, SIDE, disc

BLUE, GREEN, RED, WHITE, BLACK, GREY = (
    (0, 0, 255), (0, 255, 0), (255, 0, 0), (255, 255, 255), (0, 0, 0), (100, 100, 100)
)  # fmt: skip


def person(side: int = 128, hair: tuple[int, ...] = BLUE, rest: tuple[int, ...] = WHITE):
    """(mask (side, side, 3), its head): hair over a face with a mouth, neck and torso below."""
    y, x = (np.mgrid[:side, :side] + 0.5) / side
    head = (x - 0.5) ** 2 / 0.05 + (y - 0.4) ** 2 / 0.09 < 1
    picture = np.full((side, side, 3), rest, np.uint8)
    picture[(y > 0.8) & (abs(x - 0.5) < 0.4)] = RED
    picture[(y > 0.6) & (y <= 0.8) & (abs(x - 0.5) < 0.12)] = GREEN
    picture[head] = BLUE
    picture[head & (y < 0.3)] = hair
    if hair == BLACK:
        picture[head & (abs(y - 0.55) < 0.02) & (abs(x - 0.5) < 0.06)] = GREY
    return picture, head


def test_black_hair_and_a_grey_mouth_are_head() -> None:
    picture, head = person(hair=BLACK)
    np.testing.assert_array_equal(head_mask(picture), head)
    notes = notes_of([picture])
    assert len(notes) == 1 and "TalkingGaussian" in notes[0]


@pytest.mark.parametrize(("hair", "rest"), [(BLACK, WHITE), (BLUE, BLACK)])
def test_prepare_reads_such_masks_as_a_training_does(
    hair: tuple[int, ...], rest: tuple[int, ...]
) -> None:
    usual, _ = person()
    picture, _ = person(hair=hair, rest=rest)
    np.testing.assert_array_equal(to_regions(picture), to_regions(usual))
    smooth = np.asarray(Image.fromarray(picture).resize((96, 96), Image.Resampling.BILINEAR))
    counted = np.bincount(to_regions(smooth).ravel(), minlength=4) / smooth[..., 0].size
    wanted = np.bincount(to_regions(usual).ravel(), minlength=4) / usual[..., 0].size
    np.testing.assert_allclose(counted, wanted, atol=0.01)


def test_a_black_rest_is_not_head() -> None:
    picture, head = person(rest=BLACK)
    np.testing.assert_array_equal(head_mask(picture), head)
    assert notes_of([picture]) == []


@pytest.mark.parametrize("hair", [BLUE, BLACK])
def test_masks_that_were_resized_with_smoothing_keep_their_edges(hair: tuple[int, ...]) -> None:
    large, _ = person(512, hair=hair)
    _, head = person(200, hair=hair)
    smooth = np.array(Image.fromarray(large).resize((200, 200), Image.Resampling.BICUBIC))
    found = head_mask(smooth)
    assert len(np.unique(smooth.reshape(-1, 3), axis=0)) > 50
    assert (found != head).sum() < 0.25 * 2 * np.pi * 0.25 * 200  # a quarter of a pixel's border


def test_colours_that_are_nothing_are_counted_and_named() -> None:
    picture, _ = person()
    picture[:20] = (200, 120, 0)
    notes = notes_of([picture, picture])
    assert len(notes) == 1
    assert "16% of the pixels in parsing have colours" in notes[0] and "RGB 200, 120, 0" in notes[0]


def test_a_dataset_with_other_masks_is_read_and_noted(clip_folder: Path) -> None:
    for row in range(FRAMES):
        picture = np.full((SIDE, SIDE, 3), WHITE, np.uint8)
        picture[disc(row)] = BLUE
        picture[: SIDE // 2][disc(row)[: SIDE // 2]] = BLACK
        Image.fromarray(picture).save(clip_folder / f"parsing/{row}.png")
    clip = load_clip(clip_folder)
    np.testing.assert_array_equal(clip.frame(3).head, disc(3))
    assert sum("black and grey" in note for note in clip.notes) == 1


def test_masks_of_class_numbers_are_refused_with_their_colours(clip_folder: Path) -> None:
    for row in range(FRAMES):
        numbers = np.where(disc(row), 1, 0).astype(np.uint8)
        Image.fromarray(numbers).save(clip_folder / f"parsing/{row}.png")
    with pytest.raises(
        DatasetError, match=r"no head \(blue\).*colours are \(0, 0, 0\), \(1, 1, 1\)"
    ):
        load_clip(clip_folder)
