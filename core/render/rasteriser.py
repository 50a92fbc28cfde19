"""The seam between the rasterisers and everything that uses them."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..camera import Camera
from ..gaussians import Splats
from ..images.image import Image

TILE = 16  # pixels
NEAR = 0.2  # decimetres; a Gaussian at or before this depth is not drawn
DILATION = 0.3  # square pixels, added to both 2-D variances
MAX_ALPHA = 0.99
MIN_ALPHA = 1 / 255
MIN_TRANSMITTANCE = 1e-4  # the Gaussian that would bring it below is not drawn, nor any after it
JACOBIAN_CLAMP = 1.3  # times tan(fov / 2)


class Rasteriser(Protocol):
    def __call__(
        self,
        splats: Splats,
        camera: Camera,
        background: NDArray[np.float32] | None = None,
        sh_degree: int = 3,
    ) -> Image:
        """background: (H, W, 3) float32 sRGB-encoded, opaque, of the camera's size; None leaves
        the picture transparent. sh_degree: 0..3."""
        ...
