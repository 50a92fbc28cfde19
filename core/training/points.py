"""The first Gaussians: where they lie and which colours they have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..dataset.clip import TrainingClip
from ..formats.ply import read_ply

COLOUR_FRAMES = 16

Float64 = NDArray[np.float64]


def first_points(clip: TrainingClip, init: Path | None) -> Float64:
    """(P, 3): of the .ply where one is given (PlyError), else of the dataset."""
    return clip.points if init is None else read_ply(init).means.astype(np.float64)


def first_colours(clip: TrainingClip, points: Float64) -> Float64:
    """(P, 3) in 0..1: what the frames show where the points are seen, on average. What lies behind
    another point takes its colour; training mends that."""
    rows = clip.train_rows
    some = rows[:: max(1, len(rows) // COLOUR_FRAMES)]
    total, seen = np.zeros((len(points), 3)), np.zeros((len(points), 1))
    for row in some:
        camera, frame = clip.camera(row), clip.frame(row)
        local = points @ camera.viewmat[:3, :3].T + camera.viewmat[:3, 3]
        z = np.maximum(local[:, 2], 1e-6)
        x = np.floor(camera.fx * local[:, 0] / z + camera.cx).astype(int)
        y = np.floor(camera.fy * local[:, 1] / z + camera.cy).astype(int)
        inside = (x >= 0) & (x < camera.width) & (y >= 0) & (y < camera.height)
        inside[inside] &= frame.head[y[inside], x[inside]]
        total[inside] += frame.original[y[inside], x[inside]] / 255
        seen[inside] += 1
    mean = total.sum(0) / max(seen.sum(), 1)
    return np.where(seen > 0, total / np.maximum(seen, 1), mean)
