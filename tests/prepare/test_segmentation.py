"""Head, neck and torso of drawn persons with known truth."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from core.images.pillow import resized
from core.prepare.mask_regions import COLOURS, HEAD, NECK, TORSO, to_regions
from core.prepare.mesh import JAW_LINE
from core.prepare.segmentation.coordinates import face_coordinates
from core.prepare.segmentation.filters import (
    Guide,
    box,
    dilated,
    enlarged,
    enlarged_by_pillow,
    eroded,
    softened,
    solid,
)
from core.prepare.segmentation.outline import sharpen
from core.prepare.segmentation.person import Person, learn_person, load_person, save_person
from core.prepare.segmentation.split import preferred, preferred_anywhere, split
from core.prepare.segmentation.view import grey, view_of

from ..support.drawn_person import BROWN, SIDE, WALL, Drawn, draw, face_at, frames


def learnt(drawn: Drawn) -> Person:
    return learn_person([view_of(pixels, truth > 0, face) for pixels, truth, face in frames(drawn)])


def segmented(drawn: Drawn) -> tuple[np.ndarray, np.ndarray, Person]:
    """Regions of a frame, its truth, and what was learnt from the clip."""
    person = learnt(drawn)
    pixels, truth, face = draw(drawn)
    return split(pixels, truth > 0, face, person), truth, person


def overlap(found: np.ndarray, truth: np.ndarray, region: int) -> float:
    a, b = found == region, truth == region
    return float((a & b).sum() / (a | b).sum())


def test_a_person_is_parted_into_head_neck_and_torso() -> None:
    found, truth, person = segmented(Drawn())
    assert person.hair.hangs == (False, False)
    for region in (HEAD, NECK, TORSO):
        assert overlap(found, truth, region) > 0.9, region
    assert_array_equal(found > 0, truth > 0)
    assert_array_equal(to_regions(COLOURS[found]), found)


@pytest.mark.parametrize("locks", [(True, True), (True, False), (False, True)])
def test_hair_that_hangs_on_the_shoulders_belongs_to_the_head(locks: tuple[bool, bool]) -> None:
    """Decided for each side of the clip; the locks end at the chest."""
    found, truth, person = segmented(Drawn(locks=locks))
    assert person.hair.hangs == locks
    assert overlap(found, truth, HEAD) > 0.95 and overlap(found, truth, TORSO) > 0.95


def test_a_long_beard_belongs_to_the_head() -> None:
    found, truth, person = segmented(Drawn(beard=55))
    assert person.hair.beard
    assert overlap(found, truth, HEAD) > 0.95 and overlap(found, truth, TORSO) > 0.93


@pytest.mark.parametrize("drawn", [Drawn(), Drawn(beard=12), Drawn(clothes=BROWN)])
def test_no_beard_is_seen_where_none_hangs_below_the_chin(drawn: Drawn) -> None:
    assert not learnt(drawn).hair.beard


def test_a_jacket_as_dark_as_the_hair_is_no_hair() -> None:
    found, truth, _ = segmented(Drawn(clothes=BROWN))
    assert overlap(found, truth, HEAD) > 0.95 and overlap(found, truth, TORSO) > 0.95


def test_a_jacket_as_dark_as_hair_that_hangs_keeps_most_of_its_pixels() -> None:
    found, truth, _ = segmented(Drawn(clothes=(60, 48, 36), locks=(True, True)))
    assert (found[truth == TORSO] == TORSO).mean() > 0.8


def test_a_white_collar_is_no_neck() -> None:
    found, truth, _ = segmented(Drawn(clothes=(30, 30, 40), collar=(235, 235, 240)))
    assert overlap(found, truth, NECK) > 0.85 and overlap(found, truth, TORSO) > 0.95


def test_clothes_like_skin_are_no_head() -> None:
    found, truth, _ = segmented(Drawn(clothes=(200, 155, 140)))
    assert overlap(found, truth, HEAD) > 0.95
    assert (found[truth == TORSO] == TORSO).mean() > 0.9


def test_hair_like_the_wall_stays() -> None:
    found, truth, _ = segmented(Drawn(hair=(128, 122, 110), locks=(True, True)))
    assert overlap(found, truth, HEAD) > 0.93


def test_a_black_wall_that_the_network_takes_for_hair_is_background() -> None:
    drawn = Drawn(hair=(190, 190, 185), clothes=(25, 25, 25), wall=(4, 4, 4))
    views = [view_of(p, dilated(t > 0, 16), face) for p, t, face in frames(drawn)]
    person = learn_person(views)
    assert person.hair.hangs == (False, False)
    pixels, truth, face = draw(drawn)
    found = split(pixels, dilated(truth > 0, 16), face, person)
    assert overlap(found, truth, HEAD) > 0.95


def test_a_light_streak_like_the_wall_stays_if_the_network_is_sure_of_it() -> None:
    person = learnt(Drawn())
    pixels, truth, face = draw(Drawn())
    streak = np.zeros_like(truth, bool)
    streak[16:50, 120:136] = truth[16:50, 120:136] == HEAD
    pixels[streak] = WALL
    doubted = split(pixels, truth > 0, face, person)
    assert (doubted[streak] != HEAD).mean() > 0.5
    assert (split(pixels, truth > 0, face, person, truth > 0)[streak] == HEAD).all()


def test_a_shoulder_at_the_height_of_the_mouth_is_no_hair() -> None:
    found, truth, person = segmented(Drawn(rise=66))
    assert person.hair.hangs == (False, False)
    assert (found[truth == TORSO] == TORSO).mean() > 0.95


def test_a_chair_beside_the_head_is_no_hair() -> None:
    pixels, truth, face = draw(Drawn())
    chair = np.zeros_like(truth, bool)
    chair[80:200, 250:] = True
    pixels[chair], truth[chair] = (40, 60, 160), TORSO
    person = learn_person([view_of(pixels, truth > 0, face)])
    assert not (split(pixels, truth > 0, face, person)[chair] == HEAD).any()


def test_a_larger_frame_gets_its_own_sharp_edges() -> None:
    """Regions are found at a fixed size; the edge of a lock lies on the frame's own pixels."""
    drawn = Drawn(locks=(True, True))
    person = learnt(drawn)
    pixels, truth, face = draw(drawn)
    twice, true = pixels.repeat(2, 0).repeat(2, 1), truth.repeat(2, 0).repeat(2, 1)
    found = split(twice, true > 0, 2 * face, person)
    for region in (HEAD, NECK, TORSO):
        assert overlap(found, true, region) > 0.9, region
    edge = true[360, :256] == HEAD  # beside the neck, through the lock
    assert np.abs((found[360, :256] == HEAD).astype(int) - edge).sum() <= 4


def test_what_was_learnt_survives_a_file() -> None:
    pixels, truth, face = draw(Drawn(locks=(True, False)))
    person = learnt(Drawn(locks=(True, False)))
    again = load_person(save_person(person))
    assert again.hair == person.hair
    assert_array_equal(
        split(pixels, truth > 0, face, again), split(pixels, truth > 0, face, person)
    )


def test_the_outline_is_sharpened_where_the_background_is_known() -> None:
    pixels, truth, _ = draw(Drawn())
    background = np.full((SIDE, SIDE, 3), WALL, np.uint8)
    blurred = np.roll(truth > 0, 2, axis=1)
    known = np.ones((SIDE, SIDE), bool)
    sharp = sharpen(blurred, pixels, background, known)
    wrong = (sharp != (truth > 0)).sum()
    assert wrong < 0.4 * (blurred != (truth > 0)).sum()
    assert_array_equal(sharpen(blurred, pixels, background, ~known), blurred)


def test_the_head_ends_at_the_chin_and_beside_it_at_the_ear_lobes() -> None:
    face = face_at(64, 52, 24)
    place = face_coordinates(face, 128)
    assert place.under[75, 64] < 0 < place.under[77, 64]
    assert place.under[66, 10] < 0 < place.under[69, 10]
    assert_allclose(place.across[52, [64, 88, 40]], [0, 1, -1], atol=0.04)
    assert_allclose(place.down[[48, 76], 64], [0, 1], atol=0.05)
    # A tilted head takes its line with it.
    turn = np.array([[0.8, 0.6], [-0.6, 0.8]])
    tilted = face.copy()
    tilted[:, :2] = (face[:, :2] - 64) @ turn + 64
    leaning = face_coordinates(tilted, 128)
    assert_allclose(leaning.tilt, np.arctan2(0.6, 0.8), atol=0.01)
    for x, y in ((64, 70), (64, 80), (30, 60), (90, 75)):
        at = np.rint((np.array([x, y]) - 64) @ turn + 64).astype(int)
        assert abs(leaning.under[at[1], at[0]] - place.under[y, x]) < 0.05
    assert len(JAW_LINE) == 23


def test_the_guided_filter_keeps_the_edges_of_its_picture() -> None:
    step = np.zeros((40, 40), np.float32)
    step[:, 20:] = 200
    noisy = (step > 0) + 0.5 * np.random.default_rng(0).normal(size=step.shape).astype(np.float32)
    smooth = Guide.of(step, 4, 40.0).filtered(noisy)
    assert np.abs(smooth - (step > 0)).max() < 0.25


def test_grown_and_shrunk_masks() -> None:
    from scipy.ndimage import binary_fill_holes, binary_opening

    mask = np.zeros((30, 30), bool)
    mask[10:20, 12:18] = True
    grown = dilated(mask, 3)
    assert grown.sum() == 16 * 12 and grown[7, 9] and not grown[6, 9]
    assert_array_equal(eroded(grown, 3), mask)
    mask[15, 15] = False  # a hole
    mask[2, 2] = mask[29, 0:9] = True  # a speck and a thin line at the border
    mask[20:, 20:] = True  # a piece at the border
    assert_array_equal(solid(mask), binary_fill_holes(binary_opening(mask)))
    assert not solid(np.zeros_like(mask)).any()


def test_quick_filters_equal_those_of_the_libraries() -> None:
    from scipy.ndimage import gaussian_filter, uniform_filter

    values = np.random.default_rng(0).uniform(0, 255, (40, 30)).astype(np.float32)
    for radius in (1, 2, 3, 6, 9):
        slow = uniform_filter(values.astype(np.float64), 2 * radius + 1, mode="nearest")
        assert_allclose(box(values, radius), slow, atol=1e-4)
    assert_allclose(softened(values), gaussian_filter(values, 0.6), atol=1e-3)
    square = values[:30]
    assert_allclose(enlarged(square, 60), enlarged_by_pillow(square, 60), atol=1e-4)
    assert enlarged(square, 45).shape == (45, 45)


@pytest.mark.parametrize(
    ("one", "other"), [((NECK,), (TORSO,)), ((HEAD,), (NECK, TORSO)), ((), (HEAD,)), ((TORSO,), ())]
)
def test_edges_are_found_in_a_part_of_the_frame_as_in_the_whole(
    one: tuple[int, ...], other: tuple[int, ...]
) -> None:
    pixels, truth, _ = draw(Drawn(locks=(True, False)))
    fine = grey(resized(pixels, 512, 512, "BICUBIC"))
    guide = Guide.of(grey(pixels), 2, 40.0)
    masks = np.isin(truth, one), np.isin(truth, other)
    quick = preferred(*masks, guide, fine)
    assert quick.any() == bool(one)
    whole = preferred_anywhere(*masks, guide, fine)
    near = dilated(masks[0], 4).repeat(2, 0).repeat(2, 1)
    assert_array_equal(quick & near, whole & near)
