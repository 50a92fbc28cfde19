"""Poses in the files that trainers read: track_params.pt, transforms_train.json and _val.json."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..records.arrays import Float64

TRAIN_PART = (10, 11)  # of the frames, the first ones (docs/method.md §5.1)
FLIP = np.diag([1.0, -1.0, -1.0])


def official(rotations: Float64, shifts: Float64) -> tuple[Float64, Float64]:
    """Angles (F, 3) in radians and translations (F, 3) of the field's trackers, whose camera looks
    along -z: [R | t] = diag(1, -1, -1) [head to OpenCV camera], R = Rx(a) Ry(b) Rz(-c)."""
    turned = FLIP @ rotations
    a = np.arctan2(-turned[:, 1, 2], turned[:, 2, 2])
    b = np.arcsin(np.clip(turned[:, 0, 2], -1, 1))
    c = np.arctan2(turned[:, 0, 1], turned[:, 0, 0])
    return np.stack([a, b, c], 1), shifts @ FLIP


def documents(
    rotations: Float64, shifts: Float64, focal: float, size: int, rows: Sequence[int]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """transforms_train.json and transforms_val.json, the first and the last part of the frames
    `rows`: the others are left out and keep their numbers, so that the sound stays in step. The
    matrices are camera to head with a tenth of the translation, as official trackers write
    them."""
    count = len(rotations)
    border = len(rows) * TRAIN_PART[0] // TRAIN_PART[1]
    matrices = np.tile(np.eye(4), (count, 1, 1))
    matrices[:, :3, :3], matrices[:, :3, 3] = FLIP @ rotations, shifts @ FLIP / 10
    inverses = np.linalg.inv(matrices)
    head = {"focal_len": float(focal), "cx": size / 2, "cy": size / 2}

    def part(some: Sequence[int]) -> dict[str, Any]:
        frames = [
            {"img_id": row, "aud_id": row, "transform_matrix": inverses[row].round(7).tolist()}
            for row in some
        ]
        return {**head, "frames": frames}

    return part(rows[:border]), part(rows[border:])
