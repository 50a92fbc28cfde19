"""Small patches of the head's skin, located in each frame to a fraction of a pixel.

A face mesh is detected separately in every frame; its points are off by a pixel or two, in a way
that depends on the pose. So they only start a search: the fitted head and pose sample a patch of
skin around each point in every frame, the median over the frames is the patch's reference
appearance, and each frame's patch is shifted until it matches (Lucas-Kanade). Because light may
change, each patch's mean and contrast are normalised first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..images.sampling import bilinear
from ..records.arrays import Float32, Float64
from ..system.threads import for_each
from .bundle import Solution, project

STEP = 1.5  # pixels between a patch's samples
MOST = 3.0  # pixels that a patch moves at most
NEIGHBOURS = 9  # points of the mesh that give a patch's slant
RIDGE = 1e-3  # keeps patches without texture in place


@dataclass(frozen=True, eq=False)
class Patches:
    """tangents (2, P, 3): two directions in the head's frame along the skin, of one pixel's length.
    half: pixels from the middle to the edge."""

    tangents: Float64
    half: float

    @property
    def offsets(self) -> Float64:
        """(S, 2) of the samples along the tangents, in pixels."""
        line = np.arange(-self.half, self.half + 0.1, STEP)
        a, b = np.meshgrid(line, line)
        return np.stack([a.ravel(), b.ravel()], 1)

    @property
    def window(self) -> Float64:
        """(S,) weights of the samples, sum 1."""
        weights = np.exp(-(self.offsets**2).sum(1) / (2 * (0.6 * self.half) ** 2))
        return np.asarray(weights / weights.sum())


@dataclass(frozen=True, eq=False)
class Appearance:
    """Of all patches: values (P, S), slopes (P, S, 2) a pixel along the tangents, and firmness
    (P, 2, 2), how strongly a shift along them changes the values."""

    values: Float32
    slopes: Float32
    firmness: Float64


def patches_on(mesh: Float64, chosen: NDArray[np.intp], pixel: float, half: float) -> Patches:
    """Patches at the `chosen` points of `mesh` (M, 3). pixel: its size on the head, decimetres."""
    normals = np.empty((len(chosen), 3))
    for row, point in enumerate(mesh[chosen]):
        near = mesh[np.argsort(((mesh - point) ** 2).sum(1))[:NEIGHBOURS]]
        normals[row] = np.linalg.svd(near - near.mean(0))[2][2]
    normals *= np.where(normals[:, 2:] < 0, -1, 1)
    first = np.cross([0.0, 1.0, 0.0], normals)
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    return Patches(pixel * np.stack([first, np.cross(normals, first)]), half)


def take(
    pictures: Sequence[Float32] | Float32, solution: Solution, patches: Patches, threads: int = 1
) -> Float32:
    """(K, P, S) the patches of K pictures (H, W), each with mean 0 and contrast 1."""
    offsets = patches.offsets
    # A sample is its point plus two tangents times its offsets, before and after a rotation.
    shares = np.stack([np.ones(len(offsets)), *offsets.T]).astype(np.float32)  # (3, S)
    anchors = np.stack([solution.points, *patches.tangents], -1)  # (P, 3 axes, 3)
    window = patches.window.astype(np.float32)
    out = np.empty((len(solution.rotations), len(anchors), len(offsets)), np.float32)

    def take_one(row: int) -> None:
        rotation, shift = solution.rotations[row], solution.translations[row]
        picture, values = pictures[row], out[row]
        seen = np.einsum("ij,pjs->ips", rotation, anchors)
        seen[..., 0] += shift[:, None]
        x, y, depth = seen.astype(np.float32) @ shares
        scale = np.float32(solution.focal) / depth
        height, width = picture.shape
        places = np.stack([x * scale + width / 2, y * scale + height / 2], -1)
        values[:] = bilinear(picture[None], places[None], np.float32)[0]
        values -= (values @ window)[:, None]
        contrast = np.sqrt((values**2) @ window)
        values /= contrast[:, None] + np.float32(0.3)

    for_each(take_one, range(len(out)), threads)
    return out


def median_appearance(taken: Float32, patches: Patches) -> Appearance:
    """The median appearance over the frames."""
    values = np.median(taken, 0)
    side = round(len(patches.offsets) ** 0.5)
    square = values.reshape(-1, side, side)
    slopes = np.stack([np.gradient(square, STEP, axis=2), np.gradient(square, STEP, axis=1)], -1)
    slopes = slopes.reshape(*values.shape, 2).astype(np.float32)
    firmness = np.einsum("s,psi,psj->pij", patches.window, slopes, slopes)
    return Appearance(values, slopes, firmness)


def find(
    taken: Float32, appearance: Appearance, solution: Solution, patches: Patches
) -> tuple[Float64, Float64]:
    """Matched positions (K, P, 2) of the frames' patches (K, P, S), pixels from the picture's
    centre, and matrices (K, P, 2, 2) that whiten their errors."""
    window = patches.window.astype(np.float32)
    apart = (taken - appearance.values) * window
    pull = (apart.swapaxes(0, 1) @ appearance.slopes).swapaxes(0, 1)
    # If a frame matches the appearance further along, its point lies before the projection.
    moved = np.einsum("pij,kpj->kpi", np.linalg.inv(appearance.firmness + RIDGE * np.eye(2)), pull)
    moved = -np.clip(moved, -MOST, MOST)
    places = (solution.points, solution.rotations, solution.translations, solution.focal)
    seen = project(*places)
    by_tangent = np.stack(
        [project(solution.points + t, *places[1:]) - seen for t in patches.tangents], -1
    )
    inverse = np.linalg.inv(by_tangent + 1e-9 * np.eye(2))
    certainty = np.einsum("kpji,pjl,kplm->kpim", inverse, appearance.firmness, inverse)
    scale = float(np.median(np.linalg.eigvalsh(appearance.firmness)[:, 0]))
    whiten = np.linalg.cholesky(certainty / max(scale, 1e-9) + 1e-6 * np.eye(2)).swapaxes(-1, -2)
    return seen + np.einsum("kpij,kpj->kpi", by_tangent, moved), whiten
