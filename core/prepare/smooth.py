"""Poses of every frame of a clip, smooth in time unless the pictures show otherwise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..records.arrays import Float64
from .bundle import over_points, pose_jacobian, robust_sigmas, robust_weights
from .rotations import mean_rotation, rotation, rotation_vectors

# Usual second difference of a head's pose at 25 frames a second, radians and decimetres. Much less
# would smooth quick nods away.
TURN_CHANGE, SHIFT_CHANGE = 0.0015, 0.005
# Errors of neighbouring patches are correlated: so many of them count as one.
ALIKE = 100.0


def normal_equations(
    points: Float64,
    rotations: Float64,
    shifts: Float64,
    focal: float,
    places: Float64,
    whiten: Float64 | None = None,
) -> tuple[Float64, Float64]:
    """Normal matrices (K, 6, 6) and right sides (K, 6) of each frame's pose, from the observed
    `places` (K, P, 2) of its points, pixels from the picture's centre."""
    seen, by_pose, _ = pose_jacobian(points, rotations, shifts, focal)
    residuals = places - seen
    if whiten is not None:
        residuals = np.einsum("kpab,kpb->kpa", whiten, residuals)
        by_pose = whiten @ by_pose
    weights = robust_weights(residuals, robust_sigmas(residuals))[..., None, None]
    weighted = weights * by_pose
    return over_points(weighted, by_pose), over_points(weighted, residuals[..., None])[..., 0]


def refine_poses(
    points: Float64,
    rotations: Float64,
    shifts: Float64,
    focal: float,
    places: Float64,
    whiten: Float64 | None = None,
    rounds: int = 3,
) -> tuple[Float64, Float64]:
    """Refine each frame's pose separately (Gauss-Newton)."""
    for _ in range(rounds):
        normal, right = normal_equations(points, rotations, shifts, focal, places, whiten)
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
    (K,): numbers). Needs scipy."""
    from scipy.linalg import solveh_banded

    count = len(rotations)
    if count < 3:
        return rotations, shifts
    middle = mean_rotation(rotations)
    poses = np.concatenate([rotation_vectors(rotations @ middle.T), shifts], 1)
    stiff = 1 / np.repeat([TURN_CHANGE, SHIFT_CHANGE], 3) ** 2
    band = np.zeros((18, 6 * count))  # lower: band[d, c] is the element of row c + d, column c
    for d in range(6):
        diagonal = np.zeros((count, 6))
        diagonal[:, : 6 - d] = np.diagonal(normal / ALIKE, -d, 1, 2)
        band[d] = diagonal.ravel()
    band[0] += 1e-9 * stiff.max()  # what has no data stays as it is
    # Second differences: 1, -2, 1 on frames k, k + 1, k + 2.
    taps = (1.0, -2.0, 1.0)
    stiff = np.where((shots[2:] == shots[:-2])[:, None], stiff, 0.0)
    pull = np.zeros((count, 6))
    bend = poses[:-2] - 2 * poses[1:-1] + poses[2:]
    for i, a in enumerate(taps):
        pull[i : count - 2 + i] -= a * stiff * bend
        for j, b in enumerate(taps[: i + 1]):
            band[6 * (i - j)].reshape(count, 6)[j : count - 2 + j] += a * b * stiff
    total = (right / ALIKE + pull).ravel()
    step = solveh_banded(band, total, lower=True).reshape(count, 6)
    return rotation(step[:, :3]) @ rotations, shifts + step[:, 3:]
