"""The fast CPU rasteriser: numba with explicit vectors, threads over rows of tiles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...images.image import Image
from ...records.camera import Camera
from ...records.gaussians import Splats
from ...system.machine import available_cores
from ...system.threads import for_each
from ..picture import check
from ..projection import clamp_limits, grid
from ..rasteriser import TILE
from .bin import distribute, sort_by_depth
from .blend import blend_row
from .lay import lay_clear, lay_over
from .project import COLUMNS, DROPPED, project_range

PART = 2048  # Gaussians that a thread projects at a time


def rasterise(
    splats: Splats,
    camera: Camera,
    background: NDArray[np.float32] | None = None,
    sh_degree: int = 3,
    threads: int | None = None,
) -> Image:
    """A `Rasteriser` (docs/method.md §3.11). threads: None for the number of cores. The picture
    does not depend on it."""
    check(camera, background, sh_degree)
    columns, rows = grid(camera)
    count = len(splats)
    centres = np.empty((count, 2), np.float64)
    table = np.empty((count, COLUMNS), np.float32)
    depths = np.full(count, DROPPED, np.uint32)
    rects = np.empty((count, 4), np.int32)
    radii = np.empty(count, np.float32)
    colour = np.empty((camera.height, camera.width, 3), np.float32)
    left = np.empty((camera.height, camera.width), np.float32)
    image = np.empty((camera.height, camera.width, 4), np.float32)
    behind = None if background is None else np.ascontiguousarray(background, np.float32)[:]
    if behind is not None:
        behind.flags.writeable = False  # one type for numba, whosever it is

    inputs = [
        np.ascontiguousarray(values, np.float32)
        for values in (splats.means, splats.quats, splats.scales, splats.opacities, splats.sh)
    ]
    view = np.ascontiguousarray(camera.viewmat, np.float64)
    lens = (float(camera.fx), float(camera.fy), float(camera.cx), float(camera.cy))
    limits = clamp_limits(camera)

    def project(start: int) -> None:
        project_range(
            start, min(start + PART, count), *inputs, sh_degree, view, camera.centre, lens, limits,
            (columns, rows), centres, table, depths, rects, radii,
        )  # fmt: skip

    def draw(row: int) -> None:
        of_row = in_rows[row_starts[row] : row_starts[row + 1]]
        starts, listed = distribute(of_row, rects, 0, columns)
        blend_row(row, starts, listed, centres, table, colour, left)
        lines = row * TILE, min((row + 1) * TILE, camera.height)
        if behind is None:
            lay_clear(*lines, colour, left, image)
        else:
            lay_over(*lines, colour, left, behind, image)

    workers = threads or available_cores()
    for_each(project, range(0, count, PART), workers)
    row_starts, in_rows = distribute(sort_by_depth(depths), rects, 1, rows)
    for_each(draw, range(rows), workers)
    return image


def warm_up() -> None:
    """Compile, or load from the cache, what `rasterise` calls: on one Gaussian and one tile, with
    and without a background."""
    one = np.ones((1, 4), np.float32)
    sh = np.zeros((1, 16, 3), np.float32)
    splats = Splats(one[:, :3], one / np.float32(2), one[:, :3], one[:, 0], sh)
    camera = Camera(np.eye(4), TILE, TILE, TILE / 2, TILE / 2, TILE, TILE)
    for background in (None, np.zeros((TILE, TILE, 3), np.float32)):
        rasterise(splats, camera, background, threads=1)
