"""Head pose and focal length of a clip, from one rigid head that moves in front of one camera.

The head's points (P, 3), its poses and the focal length are fitted together so that the points'
projections meet the landmarks (bundle adjustment: Gauss-Newton, the points eliminated first). Poses
are head to camera in OpenCV's axes; the head's frame is x right, y up, z to the viewer, decimetres,
as everywhere (core/records/camera.py)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..records.arrays import Float64
from .rotations import rotation

HUBER = 2.0  # standard deviations beyond which a landmark counts less
SHAPE_SIGMA = 0.06  # decimetres by which a point may deviate from the first guess
FOCAL_GUESS = 2.35  # in picture widths; official clips lie between 1.3 and 3.1
FOCAL_SIGMA = 0.25  # of its logarithm


@dataclass(frozen=True, eq=False)
class Solution:
    """points (P, 3); rotations (K, 3, 3) and translations (K, 3), head to OpenCV camera; focal in
    pixels; sigmas (P,): typical distance of each landmark from its projection, pixels."""

    points: Float64
    rotations: Float64
    translations: Float64
    focal: float
    sigmas: Float64 = field(repr=False)


def project(points: Float64, rotations: Float64, shifts: Float64, focal: float) -> Float64:
    """(K, P, 2) pixels from the picture's centre."""
    seen = np.einsum("kij,pj->kpi", rotations, points) + shifts[:, None]
    return focal * seen[..., :2] / seen[..., 2:]


def pose_jacobian(
    points: Float64, rotations: Float64, shifts: Float64, focal: float
) -> tuple[Float64, Float64, Float64]:
    """Projections (K, P, 2), their derivatives by a rotation and a translation in the camera's
    frame (K, P, 2, 6), and by the points in the camera's frame (K, P, 2, 3)."""
    turned = np.einsum("kij,pj->kpi", rotations, points)
    seen = turned + shifts[:, None]
    depth = seen[..., 2]
    by_point = np.zeros((*seen.shape[:2], 2, 3))
    by_point[..., 0, 0] = by_point[..., 1, 1] = focal / depth
    by_point[..., 0, 2] = -focal * seen[..., 0] / depth**2
    by_point[..., 1, 2] = -focal * seen[..., 1] / depth**2
    by_pose = np.empty((*seen.shape[:2], 2, 6))
    # turned + w x turned: the derivative by w of a row g is turned x g.
    by_pose[..., :3] = np.cross(turned[..., None, :], by_point)
    by_pose[..., 3:] = by_point
    return focal * seen[..., :2] / depth[..., None], by_pose, by_point


def robust_weights(residuals: Float64, sigmas: Float64) -> Float64:
    """(K, P) weights: 1 / sigma², less for landmarks that stray more than HUBER sigmas."""
    strayed = np.linalg.norm(residuals, axis=-1) / sigmas
    return np.minimum(1.0, HUBER / np.maximum(strayed, 1e-9)) / sigmas**2


def robust_sigmas(residuals: Float64) -> Float64:
    """(P,) pixels: the typical distance of each landmark from its projection."""
    spread = np.median(np.linalg.norm(residuals, axis=-1), axis=0) / 1.18
    return np.maximum(spread, 0.3 * np.median(spread) + 1e-3)


def over_points(a: Float64, b: Float64) -> Float64:
    """(K, I, J) sums over points and coordinates of a (K, P, 2, I) times b (K, P, 2, J). A product
    of matrices, which is many times as fast as einsum."""
    count = len(a)
    left, right = a.reshape(count, -1, a.shape[3]), b.reshape(count, -1, b.shape[3])
    return np.asarray(left.swapaxes(1, 2) @ right)


def over_frames(a: Float64, b: Float64) -> Float64:
    """(P, I, J) sums over frames and coordinates of a (K, P, 2, I) times b (K, P, 2, J)."""
    return over_points(a.swapaxes(0, 1), b.swapaxes(0, 1))


def adjust(
    landmarks: Float64,
    guess: Solution,
    *,
    fixed_focal: bool,
    width: int,
    rounds: int = 30,
    shape_sigma: float = SHAPE_SIGMA,
    whiten: Float64 | None = None,
    focal_weight: float = 1.0,
) -> Solution:
    """The head, the poses and the focal length that fit `landmarks` (K, P, 2), in pixels from the
    picture's centre, best. shape_sigma: how far a point may deviate from the first guess, which
    fixes the head's position and size. whiten (K, P, 2, 2): whitens the landmarks' errors, which
    are in pixels without it. width: of the picture. focal_weight: of the usual focal length against
    the landmarks."""
    rotations, shifts = guess.rotations.copy(), guess.translations.copy()
    points, focal, sigmas = guess.points.copy(), guess.focal, guess.sigmas
    count, prior = len(rotations), np.eye(3) / shape_sigma**2
    for _ in range(rounds):
        seen, by_pose, by_camera_point = pose_jacobian(points, rotations, shifts, focal)
        residuals = landmarks - seen
        by_focal = seen[..., None]  # by the logarithm of the focal length
        if whiten is not None:
            residuals = np.einsum("kpab,kpb->kpa", whiten, residuals)
            by_pose, by_camera_point = whiten @ by_pose, whiten @ by_camera_point
            by_focal = whiten @ by_focal
        sigmas = robust_sigmas(residuals)
        weights = robust_weights(residuals, sigmas)[..., None, None]
        by_point = by_camera_point @ rotations[:, None]
        weighted = weights * by_point
        v = over_frames(weighted, by_point) + prior
        to_point = np.einsum("kpai,kpa->pi", weighted, residuals)
        to_point += (guess.points - points) @ prior
        inverse = np.linalg.inv(v)
        # Cameras: six numbers a frame, and the focal length at the end.
        size = 6 * count + 1
        normal, right = np.zeros((size, size)), np.zeros(size)
        own = over_points(weights * by_pose, by_pose)
        cross = (by_pose.swapaxes(2, 3) @ weighted).swapaxes(1, 2)
        focal_pose = over_points(weights * by_pose, by_focal)[..., 0]
        focal_point = over_frames(weighted, by_focal)[..., 0]
        for k in range(count):
            normal[6 * k : 6 * k + 6, 6 * k : 6 * k + 6] = own[k] + 1e-6 * np.eye(6)
        normal[:-1, -1] = normal[-1, :-1] = focal_pose.ravel()
        normal[-1, -1] = (weights * by_focal**2).sum() + focal_weight / FOCAL_SIGMA**2
        right[:-1] = over_points(weights * by_pose, residuals[..., None]).ravel()
        right[-1] = (weights[..., 0] * by_focal[..., 0] * residuals).sum()
        right[-1] += focal_weight * np.log(FOCAL_GUESS * width / focal) / FOCAL_SIGMA**2
        links = np.concatenate([cross.reshape(6 * count, -1, 3), focal_point[None]])  # (6K+1, P, 3)
        lifted = (links.swapaxes(0, 1) @ inverse).swapaxes(0, 1)
        normal -= lifted.reshape(size, -1) @ links.reshape(size, -1).T
        right -= np.einsum("spi,pi->s", lifted, to_point)
        used = slice(0, -1) if fixed_focal else slice(None)
        step = np.zeros(size)
        step[used] = np.linalg.solve(normal[used, used], right[used])
        moved = np.einsum("pij,pj->pi", inverse, to_point - np.einsum("s,spi->pi", step, links))
        poses = step[:-1].reshape(count, 6)
        rotations = rotation(poses[:, :3]) @ rotations
        shifts = shifts + poses[:, 3:]
        points = points + moved
        focal = float(focal * np.exp(np.clip(step[-1], -0.2, 0.2)))
        if np.abs(step[:-1]).max() < 1e-6 and abs(step[-1]) < 1e-6:
            break
    residuals = landmarks - project(points, rotations, shifts, focal)
    return Solution(points, rotations, shifts, focal, robust_sigmas(residuals))


def first_guess(shape: Float64, landmarks: Float64, focal: float) -> tuple[Float64, Float64]:
    """Rotations (K, 3, 3) and translations (K, 3) from a weak-perspective fit of `shape` (P, 3),
    in the head's frame, to `landmarks` (K, P, 2), in pixels from the picture's centre."""
    centre = shape.mean(0)
    middle = landmarks.mean(1)
    # Rows of a scaled rotation, by least squares; made orthogonal below.
    rows = np.einsum("ip,kpa->kai", np.linalg.pinv(shape - centre), landmarks - middle[:, None])
    scale = np.sqrt(np.linalg.norm(rows[:, 0], axis=1) * np.linalg.norm(rows[:, 1], axis=1))
    third = np.cross(rows[:, 0], rows[:, 1]) / scale[:, None]
    u, _, vt = np.linalg.svd(np.stack([rows[:, 0], rows[:, 1], third], 1))
    rotations = u @ vt
    depth = focal / scale
    place = np.concatenate([middle * (depth / focal)[:, None], depth[:, None]], 1)
    return rotations, place - rotations @ centre
