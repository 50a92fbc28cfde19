"""Points beyond the face's mesh, on hair and ears. Brows, forehead and sockets move with the
person's expression, for seconds; these do not, so they hold the pose when the skin moves.

Their depth is a guess that the poses of the key frames correct. Nobody knows yet what is there:
what the head's motion does not move along (the background, loose hair) and what has no texture is
left out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..records.arrays import Float32, Float64
from .bundle import Solution, pose_jacobian, project, robust_sigmas, robust_weights
from .mesh import STABLE, UPPER_OVAL
from .patches import Appearance, Patches, find, median_appearance, patches_on, take
from .shape import similarity
from .surface import MIDDLE, ROUND

OUTWARDS = (1.1, 1.22, 1.35, 1.5, 1.65)  # of the outline about its middle
GUESSED = 1.6  # from there on the ellipsoid's depth counts, nearer the outline also the face's
DEPTH_SIGMA = 0.3  # decimetres by which the guess may be wrong
ROUNDS = 3
# Of the points kept: straying, in medians of the mesh's points and of the point's own motion, and
# firmness, in medians of the mesh's points.
MOST_STRAYED, MOST_OF_MOTION, LEAST_FIRM = 3.0, 0.3, 0.3
# The mesh's points lie closer together, so that their errors are more alike: each of these counts
# as so many.
COUNT = 4.0


def counts(points: int) -> Float64:
    """(P,) how much each of so many points counts, those of the mesh before those beyond it."""
    return np.where(np.arange(points) < len(STABLE), 1.0, COUNT)


def candidates(mesh: Float64) -> Float64:
    """(C, 3) places above and beside the upper face, in the frame of `mesh` (478, 3)."""
    edge = mesh[UPPER_OVAL]
    middle = edge[:, :2].mean(0) * [1, 0] + mesh[STABLE].mean(0)[:2] * [0, 1]
    scale = float(np.ptp(mesh[:, 0])) / 1.4
    rings = []
    for outwards in OUTWARDS:
        flat = middle + outwards * (edge[:, :2] - middle)
        lower = edge[:, 2] - _round_depth(edge[:, :2], scale)
        share = max(0.0, (GUESSED - outwards) / (GUESSED - 1))
        rings.append(np.column_stack([flat, _round_depth(flat, scale) + share * lower]))
    return np.concatenate(rings)


def _round_depth(flat: Float64, scale: float) -> Float64:
    """z at places (N, 2) on the front of a head's ellipsoid; of its middle beside it."""
    apart = ((flat / scale - MIDDLE[:2]) / ROUND[:2]) ** 2
    return np.asarray(scale * (MIDDLE[2] + ROUND[2] * np.sqrt(np.maximum(1 - apart.sum(1), 0))))


def add_scalp(
    mesh: Float64,
    solution: Solution,
    patches: Patches,
    pictures: Float32,
    pixel: float,
    threads: int = 1,
) -> tuple[Solution, Patches, Appearance]:
    """The solution and its patches on the STABLE points of `mesh` (478, 3), with the points beyond
    the mesh that move with the head behind them, and the appearance of all. pictures (K, H, W): of
    the solution's poses. pixel: its size on the head, decimetres."""
    taken = take(pictures, solution, patches, threads)
    known = median_appearance(taken, patches)
    usual = np.median(_strayed(find(taken, known, solution, patches)[0], solution))
    scale, turn, move = similarity(mesh[STABLE], solution.points)
    mesh = scale * mesh @ turn.T + move
    start = candidates(mesh)
    whole = np.concatenate([mesh, start])
    own = patches_on(whole, np.arange(len(mesh), len(whole)), pixel, patches.half)
    beyond = replace(solution, points=start)
    for _ in range(ROUNDS):
        taken = take(pictures, beyond, own, threads)
        places, whiten = find(taken, median_appearance(taken, own), beyond, own)
        beyond = replace(beyond, points=_located(beyond, start, places, whiten))
    taken = take(pictures, beyond, own, threads)
    found = median_appearance(taken, own)
    strayed = np.median(_strayed(find(taken, found, beyond, own)[0], beyond), 0)
    seen = _seen(beyond)
    moved = np.median(np.linalg.norm(seen - np.median(seen, 0), axis=2), 0)
    good = (strayed < MOST_STRAYED * usual) & (strayed < MOST_OF_MOTION * moved)
    good &= _firm(found) > LEAST_FIRM * np.median(_firm(known))
    points = np.concatenate([solution.points, beyond.points[good]])
    tangents = np.concatenate([patches.tangents, own.tangents[:, good]], 1)
    parts = zip(vars(known).values(), vars(found).values(), strict=True)
    appearance = Appearance(*(np.concatenate([ours, new[good]]) for ours, new in parts))
    return replace(solution, points=points), replace(patches, tangents=tangents), appearance


def _located(
    solution: Solution, start: Float64, places: Float64, whiten: Float64, rounds: int = 3
) -> Float64:
    """The solution's points, moved to where `places` (K, P, 2) show them, near `start`."""
    points, turns, shifts = solution.points, solution.rotations, solution.translations
    prior = np.eye(3) / DEPTH_SIGMA**2
    for _ in range(rounds):
        seen, _, by_camera = pose_jacobian(points, turns, shifts, solution.focal)
        by_point = whiten @ by_camera @ turns[:, None]
        left = np.einsum("kpab,kpb->kpa", whiten, places - seen)
        weighted = robust_weights(left, robust_sigmas(left))[..., None, None] * by_point
        normal = np.einsum("kpai,kpaj->pij", weighted, by_point) + prior
        right = np.einsum("kpai,kpa->pi", weighted, left) + (start - points) @ prior
        points = points + np.linalg.solve(normal, right[..., None])[..., 0]
    return points


def _seen(solution: Solution) -> Float64:
    return project(solution.points, solution.rotations, solution.translations, solution.focal)


def _strayed(places: Float64, solution: Solution) -> Float64:
    """(K, P) pixels between matched places and projections."""
    return np.asarray(np.linalg.norm(places - _seen(solution), axis=2))


def _firm(appearance: Appearance) -> NDArray[np.float64]:
    """(P,) how firmly each patch holds its place along its weakest direction."""
    return np.asarray(np.linalg.eigvalsh(appearance.firmness)[:, 0])
