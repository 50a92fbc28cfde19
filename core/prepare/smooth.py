"""Poses of every frame of a clip, as smooth in time as this head moves."""

from __future__ import annotations

from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray

from ..records.arrays import Float64
from .bundle import over_points, pose_jacobian, robust_sigmas, robust_weights
from .rotations import mean_rotation, rotation, rotation_vectors

MOST_TRIALS = 200  # of a Motion; 80 are enough for most clips


@dataclass(frozen=True)
class Motion:
    """What decides how strongly a clip's poses are smoothed. alike: errors of neighbouring patches
    are correlated, so many of them count as one. turn, shift: standard deviations of the second
    difference of the head's pose from frame to frame, radians and decimetres."""

    alike: float
    turn: float
    shift: float


# Bounds, and where a search starts. Beyond them what looks like motion is speech, which moves the
# patches for several frames, so that time alone does not tell it from a nod.
CALMEST, USUAL, QUICKEST = (
    Motion(20.0, 0.001, 0.002), Motion(50.0, 0.002, 0.004), Motion(120.0, 0.0032, 0.008),
)  # fmt: skip


def normal_equations(
    points: Float64,
    rotations: Float64,
    shifts: Float64,
    focal: float,
    places: Float64,
    whiten: Float64 | None = None,
    share: Float64 | float = 1.0,
) -> tuple[Float64, Float64]:
    """Normal matrices (K, 6, 6) and right sides (K, 6) of each frame's pose, from the observed
    `places` (K, P, 2) of its points, pixels from the picture's centre. share (P,): how much each
    point counts beside its own straying."""
    seen, by_pose, _ = pose_jacobian(points, rotations, shifts, focal)
    residuals = places - seen
    if whiten is not None:
        residuals = np.einsum("kpab,kpb->kpa", whiten, residuals)
        by_pose = whiten @ by_pose
    weights = (share * robust_weights(residuals, robust_sigmas(residuals)))[..., None, None]
    weighted = weights * by_pose
    return over_points(weighted, by_pose), over_points(weighted, residuals[..., None])[..., 0]


def refine_poses(
    points: Float64,
    rotations: Float64,
    shifts: Float64,
    focal: float,
    places: Float64,
    whiten: Float64 | None = None,
    share: Float64 | float = 1.0,
    rounds: int = 3,
) -> tuple[Float64, Float64]:
    """Refine each frame's pose separately (Gauss-Newton)."""
    for _ in range(rounds):
        normal, right = normal_equations(points, rotations, shifts, focal, places, whiten, share)
        solved = np.linalg.solve(normal + 1e-6 * np.eye(6), right[..., None])
        step = np.asarray(solved[..., 0], np.float64)
        rotations = rotation(step[:, :3]) @ rotations
        shifts = shifts + step[:, 3:]
    return rotations, shifts


def smoothed(
    rotations: Float64,
    shifts: Float64,
    normal: Float64,
    right: Float64,
    shots: NDArray[np.int32],
) -> tuple[Float64, Float64]:
    """Poses (K, 3, 3) and (K, 3) that balance each frame's own data (normal (K, 6, 6) and right
    (K, 6) at its pose; zero without data) against smooth motion of the head within each shot (shots
    (K,): numbers). How much of their restlessness is the head's own, the data tell: one strength
    for all clips smoothed one person's nods away and left another's noise. Needs scipy."""
    from scipy.linalg import solveh_banded

    if len(rotations) < 3:
        return rotations, shifts
    middle = mean_rotation(rotations)
    poses = np.concatenate([rotation_vectors(rotations @ middle.T), shifts], 1)
    motion = likeliest_motion(poses, normal, right, shots)
    band, total = _equations(poses, normal, right, shots, motion)
    step = solveh_banded(band, total, lower=True).reshape(len(poses), 6)
    return rotation(step[:, :3]) @ rotations, shifts + step[:, 3:]


def likeliest_motion(
    poses: Float64, normal: Float64, right: Float64, shots: NDArray[np.int32]
) -> Motion:
    """The Motion, from CALMEST to QUICKEST, that makes the observed poses (K, 6) likeliest. normal,
    right, shots: as in `smoothed`."""
    from scipy.optimize import minimize

    least, usual, most = (np.log(astuple(motion)) for motion in (CALMEST, USUAL, QUICKEST))

    def unlikely(logarithms: Float64) -> float:
        motion = Motion(*np.exp(logarithms).tolist())
        return -log_likelihood(poses, normal, right, shots, motion)

    start = usual + np.vstack([np.zeros(3), 0.4 * np.eye(3)])
    options = {"xatol": 0.02, "fatol": 0.1, "maxfev": MOST_TRIALS, "initial_simplex": start}
    bounds = list(zip(least, most, strict=True))
    found = minimize(unlikely, usual, method="Nelder-Mead", bounds=bounds, options=options)
    return Motion(*np.exp(found.x).tolist())


def log_likelihood(
    poses: Float64, normal: Float64, right: Float64, shots: NDArray[np.int32], motion: Motion
) -> float:
    """Logarithm of the probability of the observed poses under `motion`, up to a constant: the true
    poses, whose second differences are Gaussian, integrated out. Arguments as in
    `likeliest_motion`."""
    from scipy.linalg import cho_solve_banded, cholesky_banded

    band, total = _equations(poses, normal, right, shots, motion)
    factor = cholesky_banded(band, lower=True)
    together = (shots[2:] == shots[:-2])[:, None]
    bend = (poses[:-2] - 2 * poses[1:-1] + poses[2:]) * together
    stiff = _stiffness(motion)
    observed = normal.any((1, 2))
    own = np.linalg.solve(normal[observed], right[observed, :, None])[..., 0]
    cost = (stiff * bend**2).sum() + (right[observed] * own).sum() / motion.alike
    cost -= total @ cho_solve_banded((factor, True), total)
    volume = 2 * np.log(factor[0]).sum() + 6 * observed.sum() * np.log(motion.alike)
    return float(-0.5 * (cost + volume - together.sum() * np.log(stiff).sum()))


def _stiffness(motion: Motion) -> Float64:
    return np.asarray(1 / np.repeat([motion.turn, motion.shift], 3) ** 2)


def _equations(
    poses: Float64, normal: Float64, right: Float64, shots: NDArray[np.int32], motion: Motion
) -> tuple[Float64, Float64]:
    """Matrix and right side (6 K,) of the best step from `poses` (K, 6). The matrix is banded, its
    lower half: band[d, c] is the element of row c + d and column c."""
    count, stiff = len(poses), _stiffness(motion)
    band = np.zeros((18, 6 * count))
    for d in range(6):
        diagonal = np.zeros((count, 6))
        diagonal[:, : 6 - d] = np.diagonal(normal / motion.alike, -d, 1, 2)
        band[d] = diagonal.ravel()
    band[0] += 1e-9 * stiff.max()  # what has no data stays as it is
    # Second differences: 1, -2, 1 on frames k, k + 1, k + 2.
    taps = (1.0, -2.0, 1.0)
    within = np.where((shots[2:] == shots[:-2])[:, None], stiff, 0.0)
    pull = np.zeros((count, 6))
    bend = poses[:-2] - 2 * poses[1:-1] + poses[2:]
    for i, a in enumerate(taps):
        pull[i : count - 2 + i] -= a * within * bend
        for j, b in enumerate(taps[: i + 1]):
            band[6 * (i - j)].reshape(count, 6)[j : count - 2 + j] += a * b * within
    return band, (right / motion.alike + pull).ravel()
