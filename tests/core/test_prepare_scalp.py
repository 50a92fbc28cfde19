"""Head poses of a person whose forehead moves: hair and ears, which do not, hold them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from core.prepare import scalp
from core.prepare.bundle import project
from core.prepare.mesh import (
    CHIN,
    FOREHEAD,
    MESH_POINTS,
    MIRRORED,
    NOSE_TIP,
    OUTER_CORNERS,
    OVAL,
    STABLE,
)
from core.prepare.refine import Fit, refine_frames
from core.prepare.rotations import mean_rotation, rotation, rotation_vectors
from core.prepare.tracking import Track, finish_track, fit_head
from core.prepare.transforms import FLIP

pytest.importorskip("scipy")

SIZE, FOCAL, FRAMES = 192, 450.0, 48
ROUND = np.array([0.78, 1.1, 0.85])  # half axes of the head, about its origin
RAISED = np.arange(FRAMES) >= FRAMES // 2
HAIRLINE = 0.8  # y above which nothing moves


def on_head(flat: np.ndarray) -> np.ndarray:
    """Places (N, 2) lifted to the front of the head."""
    depth = ROUND[2] * np.sqrt(np.maximum(1 - ((flat / ROUND[:2]) ** 2).sum(1), 0))
    return np.column_stack([flat, depth])


def face() -> np.ndarray:
    """(478, 3) on the head: the outline and the named points where they go, the others between."""
    random = np.random.default_rng(0)
    radius, angle = np.sqrt(random.random(MESH_POINTS)), random.uniform(0, 2 * np.pi, MESH_POINTS)
    flat = np.stack([0.55 * radius * np.sin(angle), 0.8 * radius * np.cos(angle)], 1)
    flat[STABLE, 1] = random.uniform(-0.3, 0.72, len(STABLE))
    for right, left in MIRRORED:
        flat[left] = flat[right] = np.abs(flat[right]) * [1, np.sign(flat[right, 1])]
        flat[right, 0] *= -1
    around = np.arange(len(OVAL)) / len(OVAL) * 2 * np.pi
    flat[OVAL] = np.stack([0.62 * np.sin(around), 0.8 * np.cos(around)], 1)
    flat[list(OUTER_CORNERS)] = [[-0.445, 0.25], [0.445, 0.25]]
    flat[[FOREHEAD, CHIN, NOSE_TIP]] = [[0, 0.8], [0, -0.8], [0, 0]]
    return on_head(flat)


def grain(points: np.ndarray) -> np.ndarray:
    """Texture at points (N, 3) of the head, fixed to it."""
    random = np.random.default_rng(4)
    waves = random.normal(size=(40, 3)) * 22
    return np.asarray(np.sin(points @ waves.T + random.uniform(0, 6, 40)).sum(1))


@dataclass(frozen=True, eq=False)
class Scene:
    rotations: np.ndarray
    shifts: np.ndarray
    meshes: np.ndarray
    pictures: np.ndarray


@pytest.fixture(scope="module")
def scene() -> Scene:
    """A head that looks about before a resting wall, and raises one brow in the second half."""
    time = np.arange(FRAMES)[:, None]
    turns = np.radians([4, 7, 3]) * np.sin(time / [5, 7, 6] + [0.3, 1.0, 2.0])
    rotations = FLIP @ rotation(turns)
    shifts = np.column_stack([0.1 * np.sin(time / 8), 0.05 * np.cos(time / 6), 0 * time + 7.5])
    points = face()
    seen = project(points, rotations, shifts, FOCAL) + SIZE / 2
    depth = np.einsum("kj,pj->kp", rotations[:, 2], points) * FOCAL / 7.5
    noise = np.random.default_rng(7).normal(size=seen.shape)
    meshes = np.concatenate([seen + 0.3 * noise, depth[..., None]], 2)
    drawn = [picture(*pose) for pose in zip(rotations, shifts, RAISED, strict=True)]
    pictures = np.stack(drawn) + 5 * np.random.default_rng(8).normal(size=(FRAMES, SIZE, SIZE))
    return Scene(rotations, shifts, meshes, pictures.astype(np.float32))


def picture(turn: np.ndarray, shift: np.ndarray, raised: bool) -> np.ndarray:
    """(H, W) grey: where each pixel's ray meets the ellipsoid first."""
    y, x = np.mgrid[:SIZE, :SIZE].reshape(2, -1)
    rays = np.stack([x - SIZE / 2, y - SIZE / 2, np.full(x.size, FOCAL)], 1) / FOCAL
    start, ways = -shift @ turn / ROUND, rays @ turn / ROUND
    a, b, c = (ways**2).sum(1), ways @ start, start @ start - 1
    inside = b**2 - a * c
    hit = inside > 0
    along = (-b[hit] - np.sqrt(inside[hit])) / a[hit]
    points = (start + along[:, None] * ways[hit]) * ROUND
    skin = points.copy()
    if raised:
        # Skin above the eyes slides, up on the left and down on the right.
        height = np.clip((points[:, 1] - 0.1) / 0.3, 0, 1) * (points[:, 1] < HAIRLINE)
        skin[:, 1] -= 0.03 * height * np.clip(points[:, 0] / 0.3, -1, 1)
    grey = 100 + 4 * np.sin(x / 9) * np.cos(y / 7)
    grey[hit] = 128 + 6 * grain(skin)
    return grey.reshape(SIZE, SIZE).astype(np.float32)


def tracked(scene: Scene) -> tuple[Track, Fit]:
    used, shots = np.ones(FRAMES, bool), np.zeros(FRAMES, np.int32)
    given = (scene.meshes, used, shots, SIZE)
    fit = fit_head(*given, lambda rows: scene.pictures[rows], FOCAL, lambda *_: None)
    found = refine_frames(fit, list(scene.pictures), np.arange(FRAMES))
    return finish_track(*given, fit, found), fit


def wrong(track: Track, scene: Scene) -> np.ndarray:
    """(F, 3) degrees by which the turns are off, after one rotation has aligned the two frames."""
    frame = mean_rotation(np.swapaxes(track.rotations, 1, 2) @ scene.rotations)
    laid = track.rotations @ frame
    return np.degrees(rotation_vectors(laid @ np.swapaxes(scene.rotations, 1, 2)))


def bias(errors: np.ndarray) -> float:
    """How much the turn changes when the brow is raised, degrees."""
    return float(np.linalg.norm(errors[RAISED].mean(0) - errors[~RAISED].mean(0)))


def test_a_raised_brow_does_not_turn_the_head(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    track, _ = tracked(scene)
    monkeypatch.setattr(scalp, "MOST_STRAYED", 0.0)
    alone, fit = tracked(scene)
    assert len(fit.points) == len(STABLE)
    moved, before = bias(wrong(track, scene)), bias(wrong(alone, scene))
    assert moved < 0.75 * before


def test_the_wall_beside_the_head_is_left_out(scene: Scene) -> None:
    _, fit = tracked(scene)
    beyond = fit.points[len(STABLE) :]
    assert 10 <= len(beyond) < 0.8 * len(scalp.candidates(fit.mesh))
    seen = project(beyond, fit.rotations, fit.shifts, FOCAL)
    middle = project(np.zeros((1, 3)), scene.rotations, scene.shifts, FOCAL)
    apart = np.median((seen - middle) * 7.5 / FOCAL / ROUND[:2], 0)
    assert np.linalg.norm(apart, axis=1).max() < 1.1
