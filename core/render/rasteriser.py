"""The interface of the rasterisers."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..images.image import Image
from ..images.layers import EMPTY as EMPTY
from ..records.arrays import Float32
from ..records.camera import Camera
from ..records.gaussians import Splats

TILE = 16  # pixels

# The official kernel's float32 constants, exactly. It matters: two layers of MAX_ALPHA leave
# (1 - 0.99)^2, which is under MIN_TRANSMITTANCE in float32 values and over it in float64 ones.
NEAR = float(np.float32(0.2))  # decimetres; a Gaussian at or before this depth is not drawn
DILATION = 0.3  # square pixels, added to both 2-D variances
MAX_ALPHA = float(np.float32(0.99))
MIN_ALPHA = float(np.float32(1 / 255))
# The Gaussian that would bring the transmittance below this is not drawn, nor any after it.
MIN_TRANSMITTANCE = float(np.float32(1e-4))
JACOBIAN_CLAMP = 1.3  # times tan(fov / 2)


class Rasteriser(Protocol):
    def __call__(
        self,
        splats: Splats,
        camera: Camera,
        background: NDArray[np.float32] | None = None,
        sh_degree: int = 3,
        depth: Float32 | None = None,
    ) -> Image:
        """background: (H, W, 3) float32 sRGB-encoded, opaque, of the camera's size; None leaves
        the picture transparent. sh_degree: 0..3. depth: (H, W) float32, C-contiguous, to be filled
        with the depth of the Gaussians, whatever the background: the mean of their z in the camera,
        decimetres, each weighted by its share of the pixel; EMPTY where nothing is drawn. Without
        it nothing is spent on depth."""
        ...
