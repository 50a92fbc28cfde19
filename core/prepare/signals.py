"""What frames are judged by: a tiny picture, and the colours of the face."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..images.pillow import resized
from ..images.sampling import bilinear
from ..records.arrays import Float32
from .mesh import SKIN_POINTS
from .pictures import Pixels

SMALL = 16  # pixels a side of the tiny pictures
SAMPLED = 64  # pixels a side of the picture that colours are read from, so that pores do not matter


@dataclass(frozen=True, eq=False)
class Signals:
    """Of every frame: small (F, 16, 16, 3) uint8, the whole picture; skin (F, 468, 3) uint8, the
    colours at the points of its face mesh, 0 without a face."""

    small: NDArray[np.uint8]
    skin: NDArray[np.uint8]


def signals_of(pixels: Pixels, faces: Float32) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """small (16, 16, 3) and skin (n, 468, 3) of a frame (H, H, 3) with the meshes (n, 478, 3)."""
    sampled = resized(pixels, SAMPLED, SAMPLED, "BOX")
    places = faces[:, :SKIN_POINTS, :2].astype(np.float64) * (SAMPLED / len(pixels))
    skin = bilinear(sampled[None].astype(np.float32), places[None], np.float32)[0]
    return resized(sampled, SMALL, SMALL, "BOX"), np.rint(skin).astype(np.uint8)
