"""Crops, eyes, masks, backgrounds and patches, on drawn pictures with known truth."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from core.dataset.pictures import over
from core.errors import VideoError
from core.images.sampling import bilinear
from core.prepare import mask_regions
from core.prepare.background import BackgroundMean, fill, torso_picture
from core.prepare.bundle import Solution, project
from core.prepare.crop import Crop, check_faces, choose_crop, given_crop
from core.prepare.eyes import closure, table
from core.prepare.mask_regions import BACKGROUND, HEAD, NECK, TORSO
from core.prepare.mesh import JAW_LINE, LEFT_EYE, OVAL, RIGHT_EYE
from core.prepare.patches import find, median_appearance, patches_on, take
from core.prepare.rotations import rotation
from core.prepare.surface import head_points

SIDE = 128


def box(x: float, y: float, side: float) -> np.ndarray:
    return np.array([[x - side / 2, y - side / 2, x + side / 2, y + side / 2]])


def test_the_square_lies_around_the_face_and_inside_the_video() -> None:
    faces = np.concatenate([box(900 + shift, 400, 200) for shift in range(-40, 41, 8)])
    crop = choose_crop(faces, 1920, 1080)
    assert 600 <= crop.side <= 900
    assert crop.x < 760 and crop.x + crop.side > 1040
    assert 0 <= crop.y < 300 and crop.y + crop.side <= 1080
    corner = choose_crop(box(60, 80, 100), 640, 360)
    assert (corner.x, corner.y) == (0, 0) and corner.side <= 360
    assert choose_crop(box(256, 250, 150), 512, 512) == Crop(0, 0, 512)


def test_a_square_that_leaves_the_video_is_refused() -> None:
    assert given_crop((10, 0, 100), 200, 100) == Crop(10, 0, 100)
    with pytest.raises(VideoError, match="200x100"):
        given_crop((101, 0, 100), 200, 100)


def test_no_face_and_two_faces() -> None:
    one, none = box(50, 50, 20), np.zeros((0, 4))
    two = np.concatenate([one, box(90, 50, 18)])
    small = np.concatenate([one, box(90, 50, 8)])  # a picture on the wall
    assert check_faces([one, none, small], "clip").shape == (2, 4)
    with pytest.raises(VideoError, match="a face in 1 of 3"):
        check_faces([one, none, none], "clip")
    with pytest.raises(VideoError, match="two faces in 2 of 3"):
        check_faces([one, two, two], "clip")


def eye_meshes(heights: np.ndarray) -> np.ndarray:
    """(F, 478, 3) meshes that are zero but for eyes 10 wide and `heights` high."""
    meshes = np.zeros((len(heights), 478, 3))
    for eye, left in ((RIGHT_EYE, 0.0), (LEFT_EYE, 30.0)):
        outer, upper_a, lower_a, upper_b, lower_b, inner = eye
        meshes[:, outer, 0], meshes[:, inner, 0] = left, left + 10
        for upper, lower, x in ((upper_a, lower_a, 3), (upper_b, lower_b, 7)):
            meshes[:, [upper, lower], 0] = left + x
            meshes[:, lower, 1] = heights
    return meshes


def test_eyes_close_from_their_usual_height_to_their_least() -> None:
    heights = np.full(100, 3.0)
    heights[40:45] = [2, 1, 0.5, 1, 2]
    closed = closure(eye_meshes(heights), np.ones(100, bool))
    assert closed[:40].max() < 1e-6 and closed[42] > 0.95
    assert closed[41] == closed[43] and 0.7 < closed[41] < 0.9
    steady = closure(
        eye_meshes(np.full(100, 3.0) + 0.1 * np.sin(np.arange(100))), np.ones(100, bool)
    )
    assert steady.max() < 0.15  # no blink: small changes stay small


def test_au_csv_reads_as_openface_writes_it() -> None:
    text = table(np.array([0.0, 0.5, 1.0]), np.array([True, True, False])).splitlines()
    assert text[0].split(",")[-1] == " AU45_r"
    assert [line.split(",")[-1] for line in text[1:]] == [" 0.000", " 1.000", " 2.000"]


def face_at(x: float, y: float, half: float) -> np.ndarray:
    """(478, 3) a mesh whose outline is a circle."""
    mesh = np.zeros((478, 3))
    angle = np.linspace(0, 2 * np.pi, len(OVAL), endpoint=False)
    mesh[OVAL, 0], mesh[OVAL, 1] = x + half * np.sin(angle), y - half * np.cos(angle)
    return mesh


SKIN, HAIR, CLOTHES, WALL = (210, 160, 140), (50, 35, 20), (40, 60, 160), (120, 130, 120)


def person_picture() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A drawn person: picture, true regions, face mesh."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5
    truth = np.full((SIDE, SIDE), BACKGROUND, np.uint8)
    colours = np.full((SIDE, SIDE, 3), WALL, float)
    parts = [
        ((np.abs(x - 64) < 50) & (y > 92), TORSO, CLOTHES),
        ((np.abs(x - 64) < 12) & (y > 70) & (y < 98), NECK, SKIN),
        ((x - 64) ** 2 + (y - 42) ** 2 < 32**2, HEAD, HAIR),
        ((x - 64) ** 2 + (y - 52) ** 2 < 24**2, HEAD, SKIN),
    ]
    for where, region, colour in parts:
        truth[where], colours[where] = region, colour
    colours += 4 * random.normal(size=colours.shape)
    return np.clip(colours, 0, 255).astype(np.uint8), truth, face_at(64, 52, 24)


def test_a_person_is_parted_into_head_neck_and_torso() -> None:
    pixels, truth, face = person_picture()
    person = truth > 0
    palette = mask_regions.learn_palette([pixels], [person], [face])
    assert palette.skin is not None and palette.hair is not None and palette.clothes is not None
    found = mask_regions.split(person, pixels, face, palette)
    for region in (HEAD, NECK, TORSO):
        a, b = found == region, truth == region
        assert (a & b).sum() / (a | b).sum() > 0.9, region
    assert_array_equal(found > 0, person)
    assert_array_equal(mask_regions.to_regions(mask_regions.to_picture(found)), found)


def test_long_hair_beside_the_neck_belongs_to_the_head() -> None:
    pixels, truth, face = person_picture()
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5
    lock = (np.abs(x - 40) < 6) & (y > 40) & (y < 105) & (truth != HEAD)
    pixels[lock], truth[lock] = HAIR, HEAD
    person = truth > 0
    palette = mask_regions.learn_palette([pixels], [person], [face])
    found = mask_regions.split(person, pixels, face, palette)
    assert (found[lock] == HEAD).mean() > 0.8


def test_clothes_as_dark_as_hair_are_not_taken_for_hair() -> None:
    pixels, truth, face = person_picture()
    pixels[truth == TORSO] = HAIR
    palette = mask_regions.learn_palette([pixels], [truth > 0], [face])
    assert palette.hair is None
    found = mask_regions.split(truth > 0, pixels, face, palette)
    assert (found[truth == TORSO] == TORSO).mean() > 0.9


def test_the_outline_is_sharpened_where_the_background_is_known() -> None:
    pixels, truth, _ = person_picture()
    background = np.full((SIDE, SIDE, 3), WALL, np.uint8)
    blurred = np.roll(truth > 0, 1, axis=1)
    known = np.ones((SIDE, SIDE), bool)
    sharp = mask_regions.sharpen(blurred, pixels, background, known)
    wrong = (sharp != (truth > 0)).sum()
    assert wrong < 0.4 * (blurred != (truth > 0)).sum()
    kept = mask_regions.sharpen(blurred, pixels, background, ~known)
    assert (kept != blurred).mean() < 0.002  # corners that a median rounds


def test_the_head_ends_at_the_chin_and_beside_it_at_the_ear_lobes() -> None:
    face = face_at(64, 52, 24)
    place = mask_regions.place_pixels(face, SIDE)
    assert place.under[75, 64] < 0 < place.under[77, 64]
    assert place.under[66, 10] < 0 < place.under[69, 10]
    assert_allclose(place.sideways[52, [64, 88, 40]], [0, 1, 1], atol=0.04)
    # A tilted head takes its line with it.
    turn = np.array([[0.8, 0.6], [-0.6, 0.8]])
    tilted = face.copy()
    tilted[:, :2] = (face[:, :2] - 64) @ turn + 64
    leaning = mask_regions.place_pixels(tilted, SIDE)
    for x, y in ((64, 70), (64, 80), (30, 60), (90, 75)):
        at = np.rint((np.array([x, y]) - 64) @ turn + 64).astype(int)
        assert abs(leaning.under[at[1], at[0]] - place.under[y, x]) < 0.05
    assert len(JAW_LINE) == 23


def test_a_chair_beside_the_head_is_no_hair() -> None:
    pixels, truth, face = person_picture()
    chair = np.zeros_like(truth, bool)
    chair[40:100, 112:127] = True
    pixels[chair], truth[chair] = CLOTHES, TORSO
    palette = mask_regions.learn_palette([pixels], [truth > 0], [face])
    found = mask_regions.split(truth > 0, pixels, face, palette)
    assert not (found[chair] == HEAD).any()


def test_the_background_is_put_together_from_where_the_person_is_not() -> None:
    y, x = np.mgrid[:SIDE, :SIDE]
    wall = np.stack([x, y, x // 2 + y // 2], -1).astype(np.uint8)
    people, pictures = [], []
    for place in (30, 64, 98):
        person = (np.abs(x - place) < 20) & (y > 40)
        picture = wall.copy()
        picture[person] = (255, 0, 0)
        people.append(person)
        pictures.append(picture)
    background = BackgroundMean(SIDE)
    distances = [background.measure(person) for person in people]
    for picture, distance in zip(pictures, distances, strict=True):
        background.add(picture, distance)
    found, known = background.finish()
    assert known.all()
    assert np.abs(found.astype(int) - wall).max() <= 1


def test_what_was_never_seen_is_filled_smoothly() -> None:
    y, x = np.mgrid[:65, :70]
    wall = np.stack([2 * x, 2 * y, x + y], -1).astype(float)
    known = ~((np.abs(x - 35) < 12) & (np.abs(y - 30) < 12))
    holed = np.where(known[..., None], wall, 0)
    assert_array_equal(fill(holed, known)[known], wall[known].astype(np.uint8))
    assert np.abs(fill(holed, known).astype(float) - wall)[~known].mean() < 12


def test_the_neck_goes_on_under_the_head_and_nowhere_else() -> None:
    pixels, truth, _ = person_picture()
    torso = torso_picture(pixels, truth)
    body = (truth == NECK) | (truth == TORSO)
    assert_array_equal(torso[body][:, :3], pixels[body])
    grown = (torso[..., 3] > 0) & ~body
    assert grown.any() and (truth[grown] == HEAD).all()
    column = torso[:76, 64, 3]
    assert (column[-10:] == 255).all()
    assert np.abs(torso[72, 64, :3].astype(int) - SKIN).max() < 40
    background = np.full((SIDE, SIDE, 3), WALL, np.uint8)
    laid = over(torso, background)
    assert_array_equal(laid[body], pixels[body])
    assert_array_equal(
        laid[(truth == BACKGROUND) & ~grown], background[(truth == BACKGROUND) & ~grown]
    )


def test_bilinear_samples_lie_at_pixel_centres() -> None:
    ramp = np.arange(20, dtype=np.float32).reshape(1, 4, 5)
    places = np.array([[[0.5, 0.5], [2.5, 1.5], [3.0, 1.5], [-9.0, 99.0]]])
    assert_allclose(bilinear(ramp, places)[0], [0, 7, 7.5, 15], atol=0.02)


def test_a_patch_is_found_where_it_has_moved_to() -> None:
    """A textured plane seen by a camera whose pose is a little wrong: patches tell the way back."""
    random = np.random.default_rng(2)
    texture = random.normal(size=(40, 40))
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5
    true_shift = np.array([[1.5, -1.0]])

    def look(dx: float, dy: float) -> np.ndarray:
        from scipy.ndimage import map_coordinates

        return map_coordinates(
            texture, [(y - dy) / 6 + 5, (x - dx) / 6 + 5], order=3, mode="wrap"
        ).astype(np.float32)

    line = np.linspace(-0.6, 0.6, 7)
    points = np.stack([*np.meshgrid(line, line), np.zeros((7, 7))], -1).reshape(-1, 3)
    turns = np.tile(np.diag([1.0, -1.0, -1.0]) @ rotation(np.zeros(3)), (3, 1, 1))
    solution = Solution(points, turns, np.tile([0, 0, 7.5], (3, 1)), 400.0, np.ones(len(points)))
    patches = patches_on(points, np.arange(len(points)), 7.5 / 400, 9.0)
    pictures = np.stack([look(0, 0), look(0, 0), look(*true_shift[0])])
    taken = take(pictures, solution, patches)
    places, whiten = find(taken, median_appearance(taken, patches), solution, patches)
    moved = places - project(points, turns, solution.translations, 400.0)
    assert np.abs(moved[:2]).max() < 0.05
    assert_allclose(np.median(moved[2], 0), true_shift[0], atol=0.4)
    assert whiten.shape == (3, len(points), 2, 2) and np.isfinite(whiten).all()


def test_points_fill_the_head_as_its_masks_show_it() -> None:
    """A head that is a ball: no point outside it, hair where the mask has it."""
    line = np.linspace(-1, 1, 478)
    mesh = np.stack([0.7 * line, 0.9 * np.sin(9 * line), 0.5 - 0.5 * line**2], 1)
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5
    place = np.array([0, 0, 7.5])
    focal = 300.0
    head = (x - 64) ** 2 + (y - 52) ** 2 < 36**2  # its middle is 0.3 up: 12 pixels
    turns = np.tile(np.diag([1.0, -1.0, -1.0]), (3, 1, 1))
    points = head_points(mesh, turns, np.tile(place, (3, 1)), focal, [head] * 3)
    shell = points[14_000:]
    assert len(shell) > 5000
    seen = project(shell, turns[:1], place[None], focal)[0] + SIDE / 2
    far = np.hypot(seen[:, 0] - 64, seen[:, 1] - 52)
    assert far.max() < 37.5 and (far > 33).mean() > 0.1
    assert shell[:, 1].max() > 0.95 and shell[:, 2].min() < -0.8
    again = head_points(mesh, turns, np.tile(place, (3, 1)), focal, [head] * 3)
    assert_array_equal(points, again)
