"""From what a rasteriser draws to the layers of a file."""

from __future__ import annotations

import numpy as np

from ..images.image import Image
from ..images.layers import Layers
from ..records.arrays import Float32
from ..records.camera import Camera
from .picture import finish
from .rasteriser import EMPTY


def layers_of(image: Image, depth: Float32, camera: Camera, background: Float32 | None) -> Layers:
    """image: transparent, as drawn with depth, decimetres. background: (H, W, 3), None to leave the
    picture transparent."""
    matte = image[..., 3].copy()
    scaled = np.where(depth < EMPTY, depth * np.float32(camera.unit), np.float32(EMPTY))
    if background is not None:
        image = finish(image[..., :3], 1 - matte, background)
    return Layers(image, scaled.astype(np.float32), matte)
