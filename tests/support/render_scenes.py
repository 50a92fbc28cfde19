"""Small but difficult scenes for rasterisers, made from fixed seeds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from core.records.camera import Camera
from core.records.gaussians import Splats

WIDTH, HEIGHT = 97, 61  # neither a multiple of a tile nor of a vector


def camera(width: int = WIDTH, height: int = HEIGHT, distance: float = 7.5) -> Camera:
    """In front of the head, a little to the side, looking at it."""
    angle = 0.2
    viewmat = np.eye(4)
    viewmat[:3, :3] = np.diag([1.0, -1.0, -1.0]) @ [
        [np.cos(angle), 0, np.sin(angle)],
        [0, 1, 0],
        [-np.sin(angle), 0, np.cos(angle)],
    ]
    viewmat[:3, 3] = 0.02, -0.01, distance
    focal = 3.4 * height
    return Camera(viewmat, focal, focal, width / 2, height / 2, width, height)


def head(count: int = 2500, seed: int = 3) -> Splats:
    """A shell about the size of a head, decimetres."""
    random = np.random.default_rng(seed)
    means = random.normal(size=(count, 3))
    means *= [0.75, 1.0, 0.85] / np.linalg.norm(means, axis=1, keepdims=True)
    means *= 1 - np.abs(random.normal(scale=0.03, size=(count, 1)))
    scales = 0.03 * np.exp(random.normal(scale=0.45, size=(count, 3))) * [1, 1, 0.35]
    sh = random.normal(scale=0.12, size=(count, 16, 3))
    sh[:, 0] = random.uniform(-0.9, 1.4, size=(count, 3))
    return splats(
        means, scales, random.normal(size=(count, 4)), random.uniform(0.1, 0.99, count), sh
    )


def splats(means, scales, quats, opacities, sh) -> Splats:  # type: ignore[no-untyped-def]
    """Splats from anything array-like; quaternions are normalised."""
    quats = np.asarray(quats, np.float64)
    quats = quats / np.linalg.norm(quats, axis=1, keepdims=True)
    values = (means, quats, scales, opacities, sh)
    return Splats(*(np.asarray(value, np.float32) for value in values))


def round_splats(
    means: NDArray[np.float64] | list[list[float]],
    radius: float,
    opacity: float,
    grey: list[float] | None = None,
) -> Splats:
    """Round Gaussians of one opacity, each of one grey from every side."""
    count = len(means)
    sh = np.zeros((count, 16, 3))
    sh[:, 0] = (np.asarray(grey or [1.0] * count)[:, None] - 0.5) / 0.28209479177387814
    return splats(
        means, np.full((count, 3), radius), [[1, 0, 0, 0]] * count, np.full(count, opacity), sh
    )


def noise(width: int = WIDTH, height: int = HEIGHT) -> NDArray[np.float32]:
    return np.random.default_rng(9).random((height, width, 3), np.float32)


def hard_cases() -> dict[str, Splats]:
    """By name. All are seen by `camera()`."""
    base = head()
    random = np.random.default_rng(5)
    third = np.arange(len(base)) % 3 == 0

    def moved(which: NDArray[np.bool_], means: NDArray[np.floating]) -> Splats:
        changed = base.means.copy()
        changed[which] = means
        return replace(base, means=changed)

    view = camera()
    near = random.normal(scale=0.4, size=(third.sum(), 3))  # camera space, around the near plane
    near[:, 2] = random.uniform(-0.3, 0.7, third.sum())
    near[:5, 2] = 0.2
    near[5:10, 2] = np.nextafter(np.float32(0.2), np.float32(1))
    aside = random.normal(size=(third.sum(), 3)) * [8, 8, 1]
    needles, walls = base.scales.copy(), base.scales.copy()
    needles[third] = [0.6, 0.002, 0.0005]
    walls[::97] = 4.0
    broken = base.means.copy(), base.scales.copy()
    broken[0][::50, 1] = np.nan
    broken[1][1::50, 2] = np.inf
    return {
        "head": base,
        "opaque": replace(base, opacities=np.where(third, np.float32(0.9999), base.opacities)),
        "all but opaque": replace(base, opacities=np.full_like(base.opacities, 0.998)),
        "near plane": moved(third, (near - view.viewmat[:3, 3]) @ view.viewmat[:3, :3]),
        "off screen": moved(third, aside),
        "needles": replace(base, scales=needles),
        "huge": replace(base, scales=walls),
        "equal depths": replace(base, means=np.repeat(base.means[::5], 5, axis=0)),
        "not finite": replace(base, means=broken[0], scales=broken[1]),
        "one": head(1, seed=8),
        "none": head(0),
    }


def decibels(picture: NDArray[np.floating], truth: NDArray[np.floating]) -> float:
    """Peak signal-to-noise ratio for a peak of 1."""
    error = np.mean((picture.astype(np.float64) - truth) ** 2)
    return float("inf") if error == 0 else float(-10 * np.log10(error))
