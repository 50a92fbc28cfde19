"""The background without the person, and the pictures of neck and torso."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from core.dataset.pictures import over
from core.prepare.background import BackgroundMedian, distance_to, own_background
from core.prepare.background_motion import SIDE as SMALL
from core.prepare.background_motion import Motion, _difference, _quick_difference, judge
from core.prepare.filling import fill
from core.prepare.mask_regions import BACKGROUND, HEAD, NECK, TORSO
from core.prepare.torso import DARKER, _upward, torso_picture

from ..support.drawn_person import BLUE, SKIN, WALL, Drawn, draw

SIDE = 128


def wall() -> np.ndarray:
    y, x = np.mgrid[:SIDE, :SIDE]
    return np.stack([x, y, x // 2 + y // 2], -1).astype(np.uint8)


def standing(place: float) -> np.ndarray:
    y, x = np.mgrid[:SIDE, :SIDE]
    return (np.abs(x - place) < 20) & (y > 40)


def background_of(frames: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Picture and where it is known, of frames and their persons."""
    background = BackgroundMedian(SIDE)
    for pixels, person in frames:
        background.add(pixels, distance_to(person))
    return background.finish()


def with_person(pixels: np.ndarray, person: np.ndarray) -> np.ndarray:
    return np.where(person[..., None], np.uint8((255, 0, 0)), pixels)


def test_the_background_is_put_together_from_where_the_person_is_not() -> None:
    people = [standing(place) for place in (30, 64, 98)]
    found, known = background_of([(with_person(wall(), p), p) for p in people])
    assert known.all()
    assert np.abs(found.astype(int) - wall()).max() <= 1


def test_the_background_does_not_depend_on_the_threads() -> None:
    random = np.random.default_rng(0)
    background = BackgroundMedian(SIDE)
    for place in (30, 64, 98, 50):
        pixels = random.integers(0, 256, (SIDE, SIDE, 3)).astype(np.uint8)
        background.add(pixels, distance_to(standing(place)))
    for one, other in zip(background.finish(), background.finish(3), strict=True):
        assert_array_equal(one, other)


def test_the_quick_difference_of_two_frames_is_the_plain_one() -> None:
    random = np.random.default_rng(0)
    for share in (0.0, 0.0005, 0.01, 0.3, 0.9, 1.0):
        a, b = random.uniform(0, 255, (2, SMALL, SMALL, 3)).astype(np.float32)
        where = random.random((SMALL, SMALL)) < share
        flat = [np.ascontiguousarray(frame.reshape(-1, 3).T) for frame in (a, b)]
        quick = _quick_difference(*flat, where.ravel())
        assert quick == pytest.approx(_difference(a, b, where), rel=1e-6)


def test_what_covers_the_wall_for_a_moment_is_left_out() -> None:
    """A shadow beside the person and a hand that the outline misses, each in one frame of five."""
    person = standing(64)
    frames = [(with_person(wall(), person), person) for _ in range(5)]
    frames[1][0][60:90, 90:110] //= 2
    frames[3][0][30:60, 10:30] = SKIN
    found, known = background_of(frames)
    sure = distance_to(person) > 12
    assert known[sure].all()
    assert np.abs(found.astype(int) - wall())[sure].max() <= 1


def test_a_person_who_never_leaves_is_filled_smoothly() -> None:
    person = standing(64)
    found, known = background_of([(with_person(wall(), person), person)] * 3)
    assert not known[100, 64]
    assert np.abs(found.astype(float) - wall())[~known].mean() < 15
    assert found[~known][:, 0].max() < 160  # nothing of the red person


def test_what_was_never_seen_is_filled_smoothly() -> None:
    y, x = np.mgrid[:65, :70]
    slope = np.stack([2 * x, 2 * y, x + y], -1).astype(float)
    known = ~((np.abs(x - 35) < 12) & (np.abs(y - 30) < 12))
    holed = np.where(known[..., None], slope, 0)
    assert_array_equal(fill(holed, known)[known], slope[known].astype(np.uint8))
    assert np.abs(fill(holed, known).astype(float) - slope)[~known].mean() < 12


def test_a_frames_own_background_meets_the_clips_without_a_seam() -> None:
    """The wall is brighter in this frame: so is what is filled behind the person."""
    person = standing(64)
    brighter = wall() + np.uint8(25)
    own = own_background(with_person(brighter, person), person, wall())
    assert_array_equal(own[:, :30], brighter[:, :30])
    assert np.abs(own.astype(int) - brighter).max() <= 4


def texture(shift: float) -> np.ndarray:
    y, x = np.mgrid[:SMALL, :SMALL]
    wave = np.sin((x + shift) / 4) * np.sin(y / 5)
    return np.repeat((120 + 60 * wave)[..., None], 3, 2).astype(np.float32)


def judged(frames: list[np.ndarray]) -> Motion:
    noise = np.random.default_rng(0)
    empty = [np.ones((SMALL, SMALL), bool) for _ in frames]
    for mask in empty:
        mask[20:, 20:44] = False
    return judge([frame + noise.normal(size=frame.shape) for frame in frames], empty)


@pytest.mark.parametrize(
    ("shifts", "kind", "alike"),
    [
        (np.zeros(30), "still", 30),
        (np.linspace(0, 6, 30), "drifts", 0),
        (np.r_[np.zeros(20), np.full(10, 8)], "jumps", 20),
        (6 * np.random.default_rng(1).normal(size=30), "moves", 0),
    ],
)
def test_a_background_that_is_not_still_is_recognised(
    shifts: np.ndarray, kind: str, alike: int
) -> None:
    motion = judged([texture(shift) for shift in shifts])
    assert motion.kind == kind
    assert (motion.jumps == (20,)) == (kind == "jumps")
    assert len(motion.alike) == alike if alike else 0 < len(motion.alike) < 30


def test_a_plain_wall_before_a_moving_camera_is_still() -> None:
    """No picture is wrong that shows the same everywhere."""
    plain = np.full((SMALL, SMALL, 3), 90.0, np.float32)
    assert judged([plain] * 12).kind == "still"


def test_a_person_who_passes_behind_for_a_moment_changes_nothing() -> None:
    frames = [texture(0) for _ in range(30)]
    frames[12][:, :12] = 20
    motion = judged(frames)
    assert motion.kind != "moves" and 12 not in motion.alike


def test_the_neck_goes_on_under_the_head_and_nowhere_else() -> None:
    pixels, truth, _ = draw(Drawn())
    torso = torso_picture(pixels, truth)
    body = (truth == NECK) | (truth == TORSO)
    assert_array_equal(torso[body][:, :3], pixels[body])
    grown = (torso[..., 3] > 0) & ~body
    assert grown.any() and (truth[grown] == HEAD).all()
    column = torso[:152, 128, 3]
    assert (column[-20:] == 255).all()
    assert np.abs(torso[144, 128, :3].astype(int) - SKIN).max() < 40
    background = np.full((*truth.shape, 3), WALL, np.uint8)
    laid = over(torso, background)
    assert_array_equal(laid[body], pixels[body])
    empty = (truth == BACKGROUND) & ~grown
    assert_array_equal(laid[empty], background[empty])


def test_the_torso_has_no_holes_where_hair_hangs_over_it() -> None:
    pixels, truth, _ = draw(Drawn(locks=(True, True)))
    torso = torso_picture(pixels, truth)
    y, x = np.mgrid[: len(truth), : len(truth)]
    under = (truth == HEAD) & (y > 200)
    assert under.sum() > 500
    assert (torso[under][:, 3] == 255).all()
    assert np.abs(torso[under][:, :3].astype(int) - BLUE).mean() < 12
    beside = (truth == HEAD) & (y > 100) & (y < 140) & (np.abs(x - 128) > 50)
    assert (torso[beside][:, 3] == 0).all()  # beside the face there is no body


def test_rows_under_the_head_are_extended_as_one_after_the_other() -> None:
    """Each row is the blurred colours below the region's top, darker by a constant factor."""
    pixels, truth, _ = draw(Drawn())
    found = np.zeros((*pixels.shape[:2], 4), np.uint8)
    _upward(found, pixels, truth == NECK, truth == HEAD, 20)
    once = np.zeros_like(found)
    _upward(once, pixels, truth == NECK, truth == HEAD, 1)
    added = found[..., 3] > 0
    assert added.sum() > 4 * (once[..., 3] > 0).sum() > 0
    assert ((truth == HEAD) | ~added).all()
    for column in np.flatnonzero((once[..., 3] > 0).any(0)):
        top = int(once[:, column, 3].argmax())
        for row in range(top - 1, top - 20, -1):
            if added[row, column]:
                true = once[top, column, :3] * DARKER ** (top - row)
                assert np.abs(found[row, column, :3] - true).max() <= 2
