"""Crops, eyes and patches, on drawn pictures with known truth."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from core.errors import VideoError
from core.images.sampling import bilinear
from core.prepare.bundle import Solution, project
from core.prepare.crop import Crop, check_faces, choose_crop, given_crop, usual_framing
from core.prepare.eyes import closure, table
from core.prepare.mesh import LEFT_EYE, OVAL, RIGHT_EYE
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


def test_the_square_needs_no_room_for_framings_that_are_left_out() -> None:
    """Punch-ins, and a shot with the face elsewhere, are left out of the training. A person who
    sways, or a film without a usual framing, keeps all room."""
    usual = np.concatenate([box(700 + 30 * np.sin(k), 400, 200) for k in range(12)])
    nearer = np.concatenate([box(720, 420, 330)] * 5)
    elsewhere = np.concatenate([box(1300, 400, 200)] * 4)
    film = np.concatenate([usual[:6], nearer, usual[6:], elsewhere])
    assert_array_equal(usual_framing(film), usual)
    wide = choose_crop(film, 1920, 1080)
    assert choose_crop(usual_framing(film), 1920, 1080).side < 0.8 * wide.side
    for kept in (usual, usual[:1], np.concatenate([usual[:5], nearer, elsewhere])):
        assert_array_equal(usual_framing(kept), kept)


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
    assert_array_equal(take(pictures, solution, patches, threads=3), taken)
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
    again = head_points(mesh, turns, np.tile(place, (3, 1)), focal, [head] * 3, threads=2)
    assert_array_equal(points, again)


def test_the_shell_begins_at_the_edge_of_the_face() -> None:
    """Hair half a decimetre before the forehead is seen as soon as the head turns."""
    random = np.random.default_rng(4)
    mesh = random.uniform(-0.7, 0.7, (478, 3)) * [0.8, 1, 0]
    around = np.linspace(0, 2 * np.pi, len(OVAL), endpoint=False)
    mesh[OVAL] = np.stack([0.7 * np.sin(around), 0.85 * np.cos(around), 0 * around], 1)
    mesh[:, 2] = 0.2 - 0.5 * (mesh[:, :2] ** 2).sum(1)
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5
    head = np.hypot((x - 64) / 38, (y - 52) / 46) < 1
    turns, place = np.tile(np.diag([1.0, -1.0, -1.0]), (3, 1, 1)), np.array([0, 0, 7.5])
    points = head_points(mesh, turns, np.tile(place, (3, 1)), 300.0, [head] * 3)
    shell = points[14_000:]
    steps = []
    for corner in mesh[OVAL]:
        outside = shell[(shell[:, :2] @ corner[:2]) > corner[:2] @ corner[:2]]
        far = np.linalg.norm(outside[:, :2] - corner[:2], axis=1)
        near = far.argsort()[:6]
        if len(near) and far[near].max() < 0.2:
            front = near[outside[near, 2].argmax()]  # the others may be of the back of the head
            steps.append(abs(outside[front, 2] - corner[2]) - 4 * far[front])  # it falls steeply
    assert len(steps) > 20 and max(steps) < 0.15
