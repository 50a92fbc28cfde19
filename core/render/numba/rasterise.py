"""The fast CPU rasteriser: numba with explicit vectors, threads over rows of tiles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...images.image import Image
from ...records.arrays import Float32
from ...records.camera import Camera
from ...records.gaussians import Splats
from ...system.machine import available_cores
from ...system.numba_setup import compiled
from ...system.threads import for_each
from ..picture import check, finish_depth
from ..rasteriser import TILE
from .bin import distribute
from .blend import blend_row
from .projected import Inputs, projected

ONE = np.float32(1)


def rasterise(
    splats: Splats,
    camera: Camera,
    background: NDArray[np.float32] | None = None,
    sh_degree: int = 3,
    depth: Float32 | None = None,
    threads: int | None = None,
) -> Image:
    """A `Rasteriser` (docs/method.md §3.11). threads: None for the number of cores. The picture
    does not depend on it."""
    check(camera, background, sh_degree, depth)
    workers = threads or available_cores()
    colour = np.empty((camera.height, camera.width, 3), np.float32)
    left = np.empty((camera.height, camera.width), np.float32)
    image = np.empty((camera.height, camera.width, 4), np.float32)
    behind = None if background is None else np.ascontiguousarray(background, np.float32)[:]
    if behind is not None:
        behind.flags.writeable = False  # one type for numba, read-only or not

    seen = projected(_inputs(splats), camera, sh_degree, workers)
    depths = None if depth is None else seen.depths

    def draw(row: int) -> None:
        starts, listed = distribute(seen.of_row(row), seen.rects, 0, seen.columns)
        blend_row(row, starts, listed, seen.centres, seen.table, colour, left, depths, depth)
        lines = row * TILE, min((row + 1) * TILE, camera.height)
        if behind is None:
            lay_clear(*lines, colour, left, image)
        else:
            lay_over(*lines, colour, left, behind, image)

    for_each(draw, range(seen.rows), workers)
    if depth is not None:
        finish_depth(depth.copy(), left, depth)
    return image


def _inputs(splats: Splats) -> Inputs:
    means, quats, scales, opacities, sh = (
        np.ascontiguousarray(values, np.float32)
        for values in (splats.means, splats.quats, splats.scales, splats.opacities, splats.sh)
    )
    return means, quats, scales, opacities, sh


@compiled
def lay_over(
    top: int, bottom: int, colour: Float32, left: Float32, background: Float32, image: Float32
) -> None:
    """Lines top..bottom of colour (H, W, 3) premultiplied and left (H, W), the transmittance, over
    the background (H, W, 3) into image (H, W, 4), opaque."""
    for y in range(top, bottom):
        for x in range(image.shape[1]):
            for channel in range(3):
                seen = left[y, x] * background[y, x, channel]
                image[y, x, channel] = colour[y, x, channel] + seen
            image[y, x, 3] = ONE


@compiled
def lay_clear(top: int, bottom: int, colour: Float32, left: Float32, image: Float32) -> None:
    """The same without a background: transparent where nothing was drawn."""
    for y in range(top, bottom):
        for x in range(image.shape[1]):
            for channel in range(3):
                image[y, x, channel] = colour[y, x, channel]
            image[y, x, 3] = ONE - left[y, x]


def warm_up() -> None:
    """Compile, or load from the cache, what `rasterise` calls: on one Gaussian and one tile, with
    and without a background."""
    one = np.ones((1, 4), np.float32)
    sh = np.zeros((1, 16, 3), np.float32)
    splats = Splats(one[:, :3], one / np.float32(2), one[:, :3], one[:, 0], sh)
    camera = Camera(np.eye(4), TILE, TILE, TILE / 2, TILE / 2, TILE, TILE)
    for background in (None, np.zeros((TILE, TILE, 3), np.float32)):
        rasterise(splats, camera, background, threads=1)
