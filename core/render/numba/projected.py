"""All Gaussians of a picture projected, and sorted into rows of tiles, nearest first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...records.arrays import Float32, Float64
from ...records.camera import Camera
from ...system.threads import for_each
from ..projection import clamp_limits, grid
from .bin import distribute, sort_by_depth
from .ellipse import Four
from .project import COLUMNS, project_range

Inputs = tuple[Float32, Float32, Float32, Float32, Float32]
"""means (N, 3), quats (N, 4), scales (N, 3), opacities (N,), sh (N, K, 3), C-contiguous."""

PART = 2048  # Gaussians that a thread projects at a time


@dataclass(frozen=True, eq=False)
class Projected:
    """centres (N, 2) pixels; table (N, COLUMNS); rects (N, 4) tiles x0, y0, x1, y1, ends excluded;
    radii (N,) pixels, 0 for what is not drawn, whose other numbers are undefined. columns, rows: of
    tiles. row_starts (rows + 1,), in_rows: the Gaussians of each row of tiles, nearest first.
    depths (N,) decimetres, NaN for what is not drawn."""

    centres: Float64
    table: Float32
    rects: NDArray[np.int32]
    radii: Float32
    columns: int
    rows: int
    row_starts: NDArray[np.int64]
    in_rows: NDArray[np.int32]
    depths: Float32

    def of_row(self, row: int) -> NDArray[np.int32]:
        return self.in_rows[self.row_starts[row] : self.row_starts[row + 1]]


def projected(inputs: Inputs, camera: Camera, sh_degree: int, threads: int) -> Projected:
    """The result does not depend on the number of threads."""
    count = len(inputs[0])
    columns, rows = grid(camera)
    centres = np.empty((count, 2), np.float64)
    table = np.empty((count, COLUMNS), np.float32)
    depths = np.empty(count, np.uint32)
    rects = np.empty((count, 4), np.int32)
    radii = np.empty(count, np.float32)
    viewed = of_camera(camera)

    def project(start: int) -> None:
        project_range(
            start, min(start + PART, count), *inputs, sh_degree, *viewed,
            (columns, rows), centres, table, depths, rects, radii,
        )  # fmt: skip

    for_each(project, range(0, count, PART), threads)
    row_starts, in_rows = distribute(sort_by_depth(depths), rects, 1, rows)
    return Projected(
        centres, table, rects, radii, columns, rows, row_starts, in_rows, depths.view(np.float32)
    )


def of_camera(camera: Camera) -> tuple[Float64, Float64, Four, Four]:
    """view, centre, lens and limits as `project_range` takes them."""
    view = np.ascontiguousarray(camera.viewmat, np.float64)
    lens = (float(camera.fx), float(camera.fy), float(camera.cx), float(camera.cy))
    return view, camera.centre, lens, clamp_limits(camera)
