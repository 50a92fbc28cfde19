"""The meshes before the heads of a job's frames, as one row of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..errors import ProtocolError
from ..records.arrays import Float32
from ..records.job import FrameTask
from ..records.mesh_depth import MeshDepth

COLUMNS = 4  # of a frame: left, top, rows and columns of corners; zeros without meshes


def packed(tasks: Sequence[FrameTask]) -> Float32:
    """(n,) float32: COLUMNS numbers of each frame, then all depths. Sides of pictures are exact in
    float32. Empty if no frame has meshes."""
    if all(task.meshes is None for task in tasks):
        return np.empty(0, np.float32)
    rows = np.zeros((len(tasks), COLUMNS), np.float32)
    depths = []
    for row, task in zip(rows, tasks, strict=True):
        if task.meshes is not None:
            row[:] = task.meshes.left, task.meshes.top, *task.meshes.depth.shape
            depths.append(task.meshes.depth.ravel())
    return np.concatenate([rows.ravel(), *depths])


def unpacked(values: Float32, tasks: Sequence[FrameTask]) -> tuple[FrameTask, ...]:
    """The frames with their meshes. ProtocolError for a row that does not fit them."""
    if not len(values):
        return tuple(tasks)
    at = COLUMNS * len(tasks)
    if len(values) < at or not np.isfinite(values).all():
        raise ProtocolError("a row of meshes is cut off, or not finite")
    found = []
    for row, task in zip(values[:at].reshape(-1, COLUMNS), tasks, strict=True):
        left, top, height, width = (int(number) for number in row)
        if not row.any():
            found.append(task)
            continue
        camera = task.camera
        inside = left >= 0 <= top and left + width - 1 <= camera.width
        if not (inside and top + height - 1 <= camera.height and height > 1 < width):
            raise ProtocolError(f"meshes are outside the picture of frame {task.number}")
        end = at + height * width
        if end > len(values):
            raise ProtocolError("a row of meshes is cut off")
        depth = values[at:end].reshape(height, width)
        found.append(replace(task, meshes=MeshDepth(left, top, depth)))
        at = end
    return tuple(found)
