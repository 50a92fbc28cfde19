"""The oracle: the official rules, one Gaussian after another, in float64. Slow on purpose."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..images.image import Image
from ..records.arrays import Float32
from ..records.camera import Camera
from ..records.gaussians import Splats
from .picture import check, finish, finish_depth
from .projection import project
from .rasteriser import MAX_ALPHA, MIN_ALPHA, MIN_TRANSMITTANCE, TILE


def rasterise(
    splats: Splats,
    camera: Camera,
    background: NDArray[np.float32] | None = None,
    sh_degree: int = 3,
    depth: Float32 | None = None,
) -> Image:
    """A `Rasteriser` (docs/method.md §3.11)."""
    check(camera, background, sh_degree, depth)
    ellipses = project(splats, camera, sh_degree)
    colour = np.zeros((camera.height, camera.width, 3))
    transmittance = np.ones((camera.height, camera.width))
    summed = np.zeros((camera.height, camera.width))  # of depths
    done = np.zeros((camera.height, camera.width), bool)
    x = np.arange(camera.width) + 0.5
    y = np.arange(camera.height)[:, None] + 0.5

    for i in range(len(ellipses)):
        x0, y0, x1, y1 = ellipses.rects[i] * TILE
        area = np.s_[y0:y1, x0:x1]  # whole tiles; the picture's edge cuts them
        a, b, c = ellipses.conics[i]
        dx = ellipses.centres[i, 0] - x[x0:x1]
        dy = ellipses.centres[i, 1] - y[y0:y1]
        power = -0.5 * (a * dx * dx + c * dy * dy) - b * dx * dy
        alpha = np.minimum(MAX_ALPHA, ellipses.opacities[i] * np.exp(power))
        touched = (power <= 0) & (alpha >= MIN_ALPHA) & ~done[area]
        after = transmittance[area] * (1 - alpha)
        drawn = touched & (after >= MIN_TRANSMITTANCE)
        done[area] |= touched & ~drawn
        weight = np.where(drawn, alpha * transmittance[area], 0)
        colour[area] += weight[..., None] * ellipses.colours[i]
        summed[area] += weight * ellipses.depths[i]
        transmittance[area] = np.where(drawn, after, transmittance[area])

    if depth is not None:
        finish_depth(summed, transmittance, depth)
    return finish(colour, transmittance, background)
