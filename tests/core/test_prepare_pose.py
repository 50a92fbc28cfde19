"""Head pose and focal length: geometry with known truth, no video and no network."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from core.prepare import bundle, smooth
from core.prepare.bundle import Solution, adjust, first_guess, project
from core.prepare.mesh import STABLE
from core.prepare.rotations import rotation, rotation_vectors
from core.prepare.shape import head_frame, mean_head, similarity
from core.prepare.tracking import choose_keys
from core.prepare.transforms import FLIP, documents, official
from core.records.camera import viewmat_from_track

SIZE, FOCAL = 512, 1100.0
ONE_SHOT = np.zeros(120, np.int32)


def head(seed: int = 0) -> np.ndarray:
    """(478, 3) a rough face: points on an ellipsoid's front, with the named ones where they go."""
    random = np.random.default_rng(seed)
    points = random.normal(size=(478, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    points[:, 2] = np.abs(points[:, 2])
    return points * [0.7, 0.9, 0.9] + [0, 0, -0.4]


def motion(count: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Rotations and translations, head to OpenCV camera, of a head that looks about slowly."""
    random = np.random.default_rng(seed)
    time = np.arange(count)
    phases = random.uniform(0, 6, 3)
    angles = np.radians([8, 15, 5]) * np.sin(time[:, None] / [17, 23, 29] + phases)
    turns = rotation(angles)
    shifts = np.stack([0.1 * np.sin(time / 20), 0.05 * np.cos(time / 15), np.full(count, 7.5)], 1)
    return FLIP @ turns, shifts


def test_a_rotation_vector_turns_as_it_says_and_comes_back() -> None:
    vectors = np.array([[0.3, -0.2, 0.5], [0.0, 0.0, 0.0], [1e-9, 0, 0], [2.0, 1.0, -1.0]])
    turns = rotation(vectors)
    assert_allclose(turns @ np.swapaxes(turns, 1, 2), np.tile(np.eye(3), (4, 1, 1)), atol=1e-12)
    assert_allclose(rotation_vectors(turns), vectors, atol=1e-9)
    quarter = rotation(np.array([0, 0, np.pi / 2]))
    assert_allclose(quarter @ [1, 0, 0], [0, 1, 0], atol=1e-12)


def test_derivatives_of_a_projection_are_those_of_finite_differences() -> None:
    points, (turns, shifts) = head()[:7], motion(3)
    seen, by_pose, by_point = bundle.pose_jacobian(points, turns, shifts, FOCAL)
    assert_allclose(seen, project(points, turns, shifts, FOCAL), atol=1e-9)
    step = 1e-6
    for axis in range(6):
        change = np.zeros(6)
        change[axis] = step
        moved = project(points, rotation(change[:3]) @ turns, shifts + change[3:], FOCAL)
        assert_allclose(by_pose[..., axis], (moved - seen) / step, rtol=1e-3, atol=1e-2)
    for axis in range(3):
        moved = project(points + turns[0].T[:, axis] * step, turns[:1], shifts[:1], FOCAL)
        assert_allclose(by_point[0, ..., axis], (moved[0] - seen[0]) / step, rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_head_and_poses_are_found_from_their_projections(noise: float) -> None:
    points, (turns, shifts) = head()[:120], motion(40)
    random = np.random.default_rng(3)
    seen = project(points, turns, shifts, FOCAL)
    seen = seen + noise * random.normal(size=seen.shape)
    seen[3, 5] += 40  # a landmark gone wrong
    wrong_shape = points * [1, 1, 0.8] + 0.01 * random.normal(size=points.shape)
    guess = Solution(wrong_shape, *first_guess(wrong_shape, seen, FOCAL), FOCAL, np.ones(120))
    found = adjust(seen, guess, fixed_focal=True, width=SIZE, shape_sigma=0.2)
    # The head's frame is free: lay it on the true one.
    scale, frame, _ = similarity(found.points, points)
    cosines = np.einsum("kij,kij->k", found.rotations @ frame.T, turns)
    error = np.degrees(np.arccos(np.clip((cosines - 1) / 2, -1, 1)))
    assert error.max() < (0.05 if noise == 0 else 0.5)
    assert abs(scale * found.translations[:, 2].mean() / 7.5 - 1) < 0.03


def test_the_focal_length_is_found_where_the_head_shows_it() -> None:
    """A near head, wide angle: perspective is strong, and only then does a clip tell its camera."""
    points, (turns, shifts) = head()[:200], motion(60)
    shifts = shifts * [1, 1, 0.3]
    true = 640.0
    seen = project(points, turns, shifts, true)
    start = bundle.FOCAL_GUESS * SIZE
    guess = Solution(points, *first_guess(points, seen, start), start, np.ones(200))
    found = adjust(seen, guess, fixed_focal=False, width=SIZE, rounds=60, shape_sigma=0.1)
    assert abs(found.focal / true - 1) < 0.03


def test_smoothing_takes_noise_away_and_bridges_a_gap() -> None:
    points, (turns, shifts) = head()[:100], motion(120)
    random = np.random.default_rng(5)
    noisy = rotation(0.01 * random.normal(size=(120, 3))) @ turns
    normal = np.tile(np.eye(6) * smooth.USUAL.alike / 0.01**2, (120, 1, 1))
    normal[50:55] = 0  # frames in which no face was found
    noisy[50:55] = noisy[49]
    places = shifts + 0.01 * random.normal(size=shifts.shape)
    calm, moved = smooth.smoothed(noisy, places, normal, np.zeros((120, 6)), ONE_SHOT)
    before = np.linalg.norm(rotation_vectors(noisy @ np.swapaxes(turns, 1, 2)), axis=1)
    after = np.linalg.norm(rotation_vectors(calm @ np.swapaxes(turns, 1, 2)), axis=1)
    assert after.mean() < 0.6 * before.mean()
    assert after[50:55].max() < 0.02
    assert_allclose(moved, shifts, atol=0.02)
    assert len(points)


def test_nothing_is_smoothed_across_a_cut() -> None:
    turns, shifts = motion(120)
    turns[60:] = rotation(np.radians([0.0, 30.0, 0.0])) @ turns[60:]
    shifts[60:, 0] += 0.4
    normal = np.tile(np.eye(6) * smooth.USUAL.alike / 0.01**2, (120, 1, 1))
    errors = []
    for shots in (ONE_SHOT, np.repeat([0, 1], 60).astype(np.int32)):
        found, _ = smooth.smoothed(turns, shifts, normal, np.zeros((120, 6)), shots)
        wrong = rotation_vectors(found @ np.swapaxes(turns, 1, 2))
        errors.append(np.degrees(np.linalg.norm(wrong, axis=1)).max())
    assert errors[0] > 2 and errors[1] < 0.3


def observed(
    true: smooth.Motion, count: int = 400, sigma: float = 0.004
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Poses (K, 6) of a head that moves like `true`, the same with errors, and normal matrices."""
    random = np.random.default_rng(11)
    spread = np.repeat([true.turn, true.shift], 3)
    poses = 0.2 * np.cumsum(np.cumsum(spread * random.normal(size=(count, 6)), 0), 0)
    poses = 5 * (poses - np.linspace(0, 1, count)[:, None] * poses[-1])
    noisy = poses + sigma * random.normal(size=poses.shape)
    return poses, noisy, np.tile(np.eye(6) * true.alike / sigma**2, (count, 1, 1))


@pytest.mark.parametrize(
    "true", [smooth.Motion(60, 0.0012, 0.003), smooth.Motion(25, 0.0028, 0.007)]
)
def test_each_clip_tells_how_restless_its_head_is(true: smooth.Motion) -> None:
    _, noisy, normal = observed(true)
    shots = np.zeros(len(noisy), np.int32)
    found = smooth.likeliest_motion(noisy, normal, np.zeros_like(noisy), shots)
    for name in ("alike", "turn", "shift"):
        assert getattr(found, name) == pytest.approx(getattr(true, name), rel=0.25), name


def test_quick_nods_are_kept_and_a_still_head_is_calmed() -> None:
    random, frames = np.random.default_rng(5), np.arange(240)
    (slow, shifts), shots = motion(240), np.zeros(240, np.int32)
    normal = np.tile(np.eye(6) * 30 / 0.004**2, (240, 1, 1))
    quick = rotation(np.radians([2.0, 0, 0]) * np.sin(frames[:, None] / 2.4))
    left = []
    for turns in (quick @ slow, slow):
        noisy = rotation(0.004 * random.normal(size=(240, 3))) @ turns
        places = shifts + 0.004 * random.normal(size=shifts.shape)
        calm, _ = smooth.smoothed(noisy, places, normal, np.zeros((240, 6)), shots)
        before, after = (rotation_vectors(m @ np.swapaxes(turns, 1, 2)) for m in (noisy, calm))
        left.append(after.std() / before.std())
    assert left[0] < 1.02
    assert left[1] < 0.45


def test_the_likelihood_is_that_of_the_second_differences() -> None:
    """The slow, readable twin: a dense Gaussian of the observed second differences."""
    _, noisy, normal = observed(smooth.Motion(30, 0.003, 0.006), count=9)
    normal = normal + 1e4 * np.ones((6, 6))
    shots = np.array([0, 0, 0, 0, 0, 1, 1, 1, 1], np.int32)
    whole = np.zeros((5, 9))
    for row, first in enumerate((0, 1, 2, 5, 6)):
        whole[row, first : first + 3] = 1, -2, 1
    bend = np.kron(whole, np.eye(6))

    def dense(motion: smooth.Motion) -> float:
        errors = np.zeros((54, 54))
        for k in range(9):
            errors[6 * k : 6 * k + 6, 6 * k : 6 * k + 6] = motion.alike * np.linalg.inv(normal[k])
        own = np.tile(np.repeat([motion.turn, motion.shift], 3) ** 2, 5)
        spread = np.diag(own) + bend @ errors @ bend.T
        seen = bend @ noisy.ravel()
        return float(-0.5 * (np.linalg.slogdet(spread)[1] + seen @ np.linalg.solve(spread, seen)))

    def fast(motion: smooth.Motion) -> float:
        return smooth.log_likelihood(noisy, normal, np.zeros((9, 6)), shots, motion)

    one, other = smooth.Motion(30, 0.003, 0.006), smooth.Motion(90, 0.001, 0.02)
    assert dense(one) - dense(other) == pytest.approx(fast(one) - fast(other), rel=1e-5)


def test_official_angles_give_the_camera_back() -> None:
    turns, shifts = motion(5)
    for angles, shift, turn, place in zip(*official(turns, shifts), turns, shifts, strict=True):
        viewmat = viewmat_from_track(angles, shift)
        assert_allclose(viewmat[:3, :3], turn, atol=1e-12)
        assert_allclose(viewmat[:3, 3], place, atol=1e-12)


def test_splits_are_ten_elevenths_and_leave_out_frames_without_a_face() -> None:
    turns, shifts = motion(22)
    rows = [row for row in range(22) if row != 4]
    train, val = documents(turns, shifts, FOCAL, SIZE, rows)
    assert [frame["img_id"] for frame in train["frames"]] == [r for r in range(20) if r != 4]
    assert [frame["img_id"] for frame in val["frames"]] == [20, 21]
    middle = list(range(6, 17))  # of a clip whose beginning and end are left out
    _, late = documents(turns, shifts, FOCAL, SIZE, middle)
    assert [frame["img_id"] for frame in late["frames"]] == [16]
    assert (train["focal_len"], train["cx"], train["cy"]) == (FOCAL, 256, 256)
    matrix = np.linalg.inv(np.array(val["frames"][1]["transform_matrix"]))
    assert_allclose(FLIP @ matrix[:3, :3], turns[21], atol=1e-6)
    assert_allclose(FLIP @ matrix[:3, 3] * 10, shifts[21], atol=1e-5)


def test_the_mean_head_stands_upright_and_at_its_size() -> None:
    """Meshes as MediaPipe gives them (y down, z away), of one head at changing poses and sizes."""
    face = head()
    face[[33, 263]] = [[-0.45, 0.3, 0.2], [0.45, 0.3, 0.2]]
    face[[10, 152]] = [[0, 0.8, 0.1], [0, -0.9, 0.1]]
    mirrored = np.array([133, 234, 127, 162, 93, 58, 172, 61, 98, 117, 50, 70, 107, 54, 103])
    partners = np.array([362, 454, 356, 389, 323, 288, 397, 291, 327, 346, 280, 300, 336, 284, 332])
    face[partners] = face[mirrored] * [-1, 1, 1]
    right = face[mirrored, 0] > 0  # the person's right lies at negative x
    face[mirrored[right]], face[partners[right]] = face[partners[right]], face[mirrored[right]]
    turns, _ = motion(9)
    scales = np.linspace(80, 120, 9)[:, None, None]
    meshes = scales * np.einsum("kij,pj->kpi", turns, face) + 200
    found = mean_head(meshes)
    assert_allclose(np.linalg.norm(found[33] - found[263]), 0.89, rtol=1e-6)
    assert found[10, 1] > found[152, 1] and found[263, 0] > found[33, 0]
    assert abs(found[[33, 263], 1].mean() - 0.3) < 1e-6
    _, turn, _ = head_frame(found)
    assert_allclose(turn, np.eye(3), atol=1e-6)
    _, frame, _ = similarity(face, found)
    assert np.degrees(np.arccos((np.trace(frame) - 1) / 2)) < 2


def test_key_frames_are_spread_in_time_and_in_pose() -> None:
    turns, _ = motion(500)
    turns[333] = FLIP @ rotation(np.radians([0, 40, 0]))
    valid = np.ones(500, bool)
    valid[:10] = False
    keys = choose_keys(turns, valid)
    assert len(keys) == len(set(keys)) == 80
    assert 333 in keys and keys.min() >= 10 and np.diff(keys).max() < 30
    assert len(choose_keys(turns[:30], valid[:30])) == 20


def test_pose_points_leave_mouth_and_lids_alone() -> None:
    from core.prepare.mesh import INNER_LIP, LEFT_EYE, OUTER_LIP, RIGHT_EYE

    lids = {*RIGHT_EYE[1:5], *LEFT_EYE[1:5]}
    assert not set(STABLE) & {*OUTER_LIP, *INNER_LIP, *lids, 152}
    assert len(STABLE) == len(set(STABLE.tolist()))
