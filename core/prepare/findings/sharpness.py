"""How sharp the face is in one picture. Needs scipy."""

from __future__ import annotations

import numpy as np

from ...records.arrays import Float64
from ..pictures import Pixels
from .light import WEIGHTS, face_area

AGAIN = 1.0  # pixels by which the picture is blurred once more
EDGES = 97  # percentile of the slopes from which they count as edges


def edge_blur(pixels: Pixels, face: Float64) -> float | None:
    """Pixels by which the edges in a face (478, 2 or more) are blurred, as the standard deviation
    of a Gaussian, along rows or columns, whichever is more. None if the face is not in the picture.

    An edge of that blur becomes flatter by a known factor when it is blurred once more (Zhuo and
    Sim, 2011, "Defocus map estimation from a single image"). Sharp pictures of 256 pixels
    give 0.8 to 1.7, a sharp clip of 512 pixels 1.9."""
    from scipy.ndimage import gaussian_filter1d

    area = face_area(len(pixels), face)
    if not area.any():
        return None
    luma = pixels @ WEIGHTS
    found = []
    for axis in (0, 1):
        before = np.abs(np.gradient(luma, axis=axis))
        after = np.abs(np.gradient(gaussian_filter1d(luma, AGAIN, axis=axis), axis=axis))
        steep = area & (after >= np.percentile(after[area], EDGES)) & (after > 0)
        if not steep.any():
            return None  # nothing is drawn there
        flatter = float(np.median(before[steep] / after[steep]))
        found.append(AGAIN / float(np.sqrt(max(flatter**2 - 1, 1e-3))))
    return max(found)
