"""The movement that an avatar keeps from its training: poses and eyes without left-out frames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..avatar.rotations import rotation_matrix, rotation_vector
from ..records.arrays import Float64
from ..records.avatar import Track

BLEND = 12  # rows (0.5 s) on each side of a seam over which a jump is spread


def idle_track(viewmats: Float64, eyes: Float64, rows: Sequence[int]) -> Track:
    """The poses (F, 4, 4) and eye closures (F,) of the frames `rows`, ascending. Where frames are
    left out between two of them, the head would jump: half of the jump is spread over the half
    second before, half over the one after."""
    chosen = np.asarray(rows)
    out = viewmats[chosen].astype(np.float64)
    seams = np.flatnonzero(np.diff(chosen) > 1) + 1
    edges = [0, *seams.tolist(), len(chosen)]
    for before, seam, after in zip(edges[:-2], edges[1:-1], edges[2:], strict=True):
        jump = _difference(viewmats[chosen[seam - 1]], viewmats[chosen[seam]])
        for rows_here, sign in (
            (range(seam - 1, max(before, seam - BLEND) - 1, -1), 0.5),
            (range(seam, min(after, seam + BLEND)), -0.5),
        ):
            for distance, row in enumerate(rows_here):
                share = 1 - (distance + 0.5) / len(rows_here)
                out[row] = _moved(out[row], jump, sign * share * share * (3 - 2 * share))
    return Track(out.astype(np.float32), eyes[chosen])


def of_frames(track: Track, rows: Sequence[int]) -> Track:
    """The track of the frames `rows`, as `idle_track` makes it; of all frames if there are none."""
    return idle_track(track.viewmats.astype(np.float64), track.eyes, rows) if len(rows) else track


def _difference(a: Float64, b: Float64) -> tuple[Float64, Float64]:
    """Rotation vector (3,) and shift (3,) in the camera's frame from pose a to pose b, (4, 4)."""
    return rotation_vector(b[:3, :3] @ a[:3, :3].T), b[:3, 3] - a[:3, 3]


def _moved(pose: Float64, jump: tuple[Float64, Float64], share: float) -> Float64:
    """The pose (4, 4), moved by a share of the jump."""
    vector, shift = jump
    out = pose.copy()
    out[:3, :3] = rotation_matrix(share * vector) @ pose[:3, :3]
    out[:3, 3] += share * shift
    return out
