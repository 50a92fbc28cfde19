"""Head tracking: the head's shape, the focal length and every pose from meshes and pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..records.arrays import Float32, Float64
from .bundle import FOCAL_GUESS, Solution, adjust, first_guess, pose_jacobian
from .gaps import between
from .mesh import STABLE
from .patches import Appearance, Patches, find, median_appearance, patches_on, take
from .refine import Fit, Refined
from .rotations import mean_rotation, rotation, rotation_vectors
from .scalp import add_scalp
from .shape import head_frame, mean_head, similarity
from .smooth import refine_poses, smoothed

KEYS = 80  # frames that shape and focal length are fitted on
# Rounds of matching the patches. More of them would only fit the head's depth to noise.
WIDE_ROUNDS, FINE_ROUNDS = 5, 4
ROUNDS = WIDE_ROUNDS + FINE_ROUNDS
WIDE, FINE = 0.094, 0.07  # decimetres, half sides of the patches
MESH_SHAPE_SIGMA = 0.006  # small, because the mesh's depth is better than one fitted to its jitter
PATCH_SHAPE_SIGMA = 0.02
# Errors of neighbouring patches and points are correlated: so many of them count as one.
ALIKE = 100.0

Pictures = Callable[[NDArray[np.intp]], Float32]  # rows -> (K, H, W) grey, softened
Begun = tuple[int, Solution]  # rounds done, and the head and key poses after them


@dataclass(frozen=True, eq=False)
class Track:
    """mesh (478, 3): the mean face in the head's frame. rotations (F, 3, 3), shifts (F, 3): head to
    OpenCV camera. focal: pixels. error: median distance between patches and projected points of the
    head, pixels."""

    mesh: Float64
    rotations: Float64
    shifts: Float64
    focal: float
    error: float


def choose_keys(
    rotations: Float64, valid: NDArray[np.bool_], count: int = KEYS
) -> NDArray[np.intp]:
    """Rows of frames to fit the head on: half evenly spaced in time, half with the head poses that
    differ most from those."""
    rows = np.flatnonzero(valid)
    if len(rows) <= count:
        return rows
    vectors = rotation_vectors(rotations[rows] @ mean_rotation(rotations[rows]).T)
    chosen = list(np.unique(np.linspace(0, len(rows) - 1, count // 2).astype(int)))
    far = np.linalg.norm(vectors[:, None] - vectors[chosen], axis=2).min(1)
    while len(chosen) < count:
        chosen.append(int(far.argmax()))
        far = np.minimum(far, np.linalg.norm(vectors - vectors[chosen[-1]], axis=1))
    return rows[np.sort(chosen)]


def fit_head(
    meshes: Float64,
    valid: NDArray[np.bool_],
    shots: NDArray[np.int32],
    size: int,
    pictures: Pictures,
    focal: float | None,
    on_round: Callable[[int, Solution], None],
    begun: Begun | None = None,
    threads: int = 1,
) -> Fit:
    """Fit the head to its key frames, and give every frame a first pose. meshes (F, 478, 3) in
    pixels as MediaPipe gives them, valid (F,): frames to use, shots (F,): a number for each. focal:
    pixels, None to fit it. on_round(rounds done, the solution): called before the first of ROUNDS
    and after each. begun: what it was called with in an earlier run; the result is the same."""
    centred = meshes[:, STABLE, :2] - size / 2
    rows = np.flatnonzero(valid)
    some = rows[np.linspace(0, len(rows) - 1, min(KEYS, len(rows))).astype(int)]
    mesh = mean_head(meshes[some])
    guess = FOCAL_GUESS * size if focal is None else focal
    rotations = np.tile(np.eye(3), (len(meshes), 1, 1))
    shifts = np.zeros((len(meshes), 3))
    rotations[rows], shifts[rows] = first_guess(mesh[STABLE], centred[rows], guess)
    keys = choose_keys(rotations, valid)
    if begun is None:
        start = Solution(mesh[STABLE], rotations[keys], shifts[keys], guess, np.ones(len(STABLE)))
        begun = (
            0,
            adjust(
                centred[keys], start, fixed_focal=True, width=size, shape_sigma=MESH_SHAPE_SIGMA
            ),
        )
        on_round(*begun)
    solution, patches, appearance = _match_keys(
        begun, mesh, pictures(keys), size, focal, on_round, threads
    )
    rotations[rows], shifts[rows] = _first_poses(solution, centred, rows, keys, shots)
    _fill(rotations, shifts, valid)
    return Fit(mesh, solution.points, solution.focal, rotations, shifts, patches, appearance)


def finish_track(
    meshes: Float64,
    valid: NDArray[np.bool_],
    shots: NDArray[np.int32],
    size: int,
    fit: Fit,
    found: Refined,
) -> Track:
    """The track of all F frames, smooth within each shot (shots (F,): numbers). found: of the
    frames to use; the other frames' poses lie between those of their neighbours."""
    rows = np.flatnonzero(valid)
    rotations, shifts = fit.rotations.copy(), fit.shifts.copy()
    rotations[rows], shifts[rows] = found.rotations, found.shifts
    normal, right = np.zeros((len(meshes), 6, 6)), np.zeros((len(meshes), 6))
    normal[rows], right[rows] = found.normal, found.right
    _fill(rotations, shifts, valid)
    rotations, shifts = smoothed(rotations, shifts, normal, right, shots)
    _fill(rotations, shifts, valid)  # a smooth path swings far out in a long gap
    mesh = _whole_mesh(meshes, rows, rotations, shifts, fit, size)
    scale, turn, move = head_frame(mesh)
    mesh = scale * mesh @ turn.T + move
    rotations = rotations @ turn.T
    shifts = scale * shifts - rotations @ move
    return Track(mesh, rotations, shifts, fit.focal, float(np.median(found.errors)))


def _match_keys(
    begun: Begun,
    mesh: Float64,
    grey: Float32,
    size: int,
    focal: float | None,
    on_round: Callable[[int, Solution], None],
    threads: int,
) -> tuple[Solution, Patches, Appearance]:
    """Match the patches, fit the head to their positions, and repeat; then add points beyond the
    mesh. At least the last round is left to do."""
    done, solution = begun
    for turn in range(done, ROUNDS):
        pixel = float(solution.translations[:, 2].mean()) / solution.focal
        half = (WIDE if turn < WIDE_ROUNDS else FINE) / pixel
        patches = patches_on(mesh, STABLE, pixel, half)
        taken = take(grey, solution, patches, threads)
        appearance = median_appearance(taken, patches)
        places, whiten = find(taken, appearance, solution, patches)
        solution = adjust(
            places,
            solution,
            fixed_focal=focal is not None or turn < WIDE_ROUNDS,
            width=size,
            rounds=4,
            shape_sigma=PATCH_SHAPE_SIGMA,
            whiten=whiten,
            focal_weight=ALIKE,
        )
        on_round(turn + 1, solution)
    return add_scalp(mesh, solution, patches, grey, pixel, threads)


def _first_poses(
    solution: Solution,
    landmarks: Float64,
    rows: NDArray[np.intp],
    keys: NDArray[np.intp],
    shots: NDArray[np.int32],
) -> tuple[Float64, Float64]:
    """Poses of all frames in `rows`: from their landmarks, with the corrections of the key frames
    next to them in time. Errors of landmarks depend on the pose, which changes slowly within a
    shot; a shot without key frames takes the usual corrections."""
    points, focal = solution.points[: len(STABLE)], solution.focal
    rotations, shifts = first_guess(points, landmarks[rows], focal)
    rotations, shifts = refine_poses(points, rotations, shifts, focal, landmarks[rows], rounds=5)
    at = np.searchsorted(rows, keys)
    turns = rotation_vectors(solution.rotations @ np.swapaxes(rotations[at], 1, 2))
    moves = solution.translations - shifts[at]
    wrong = np.concatenate([turns, moves], 1)
    mended = np.tile(np.median(wrong, axis=0), (len(rows), 1))
    for shot in np.unique(shots[keys]):
        own, here = shots[keys] == shot, shots[rows] == shot
        columns = [np.interp(rows[here], keys[own], column) for column in wrong[own].T]
        mended[here] = np.stack(columns, 1)
    return rotation(mended[:, :3]) @ rotations, shifts + mended[:, 3:]


def _fill(rotations: Float64, shifts: Float64, valid: NDArray[np.bool_]) -> None:
    """Give the other frames poses between those of their neighbours in `valid` (F,)."""
    for row, a, b, share in between(valid):
        turn = rotation_vectors((rotations[b] @ rotations[a].T)[None])[0]
        rotations[row] = rotation(share * turn) @ rotations[a]
        shifts[row] = (1 - share) * shifts[a] + share * shifts[b]


def _whole_mesh(
    meshes: Float64,
    rows: NDArray[np.intp],
    rotations: Float64,
    shifts: Float64,
    fit: Fit,
    size: int,
) -> Float64:
    """(478, 3) all points of the mean face, moving ones too, at the mean position of their
    landmarks; their depth is the first guess's, aligned to the fitted points."""
    scale, turn, move = similarity(fit.mesh[STABLE], fit.points[: len(STABLE)])
    start = scale * fit.mesh @ turn.T + move
    some = rows[:: max(1, len(rows) // 200)]
    fitted = adjust_points(
        start, rotations[some], shifts[some], fit.focal, meshes[some, :, :2] - size / 2
    )
    return fitted


def adjust_points(
    points: Float64, rotations: Float64, shifts: Float64, focal: float, landmarks: Float64
) -> Float64:
    """The points (P, 3) that fit `landmarks` (K, P, 2) under known poses, near the given ones."""
    start, prior = points, ALIKE * np.eye(3) / PATCH_SHAPE_SIGMA**2
    for _ in range(4):
        seen, _, by_camera = pose_jacobian(points, rotations, shifts, focal)
        by_point = np.einsum("kpab,kbc->kpac", by_camera, rotations)
        normal = np.einsum("kpai,kpaj->pij", by_point, by_point) + prior
        right = np.einsum("kpai,kpa->pi", by_point, landmarks - seen)
        right += (start - points) @ prior
        points = points + np.linalg.solve(normal, right[..., None])[..., 0]
    return points
