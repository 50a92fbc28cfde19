"""Light on the face in one picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...images.pillow import pillow
from ...records.arrays import Float64
from ..mesh import CHIN, FOREHEAD, OVAL
from ..pictures import Pixels

WEIGHTS = np.array([0.2126, 0.7152, 0.0722])  # of BT.709's luma
WHITE = 250  # of 255, from which a colour counts as clipped: compression blurs the limit


@dataclass(frozen=True)
class Light:
    """brightness: median luma of the face, 0 to 255. contrast: luma between the darkest and the
    brightest twentieth. clipped: % of the face whose brightest colour is at the limit. uneven: how
    much brighter one half of the face is than the other, in stops."""

    brightness: float
    contrast: float
    clipped: float
    uneven: float


def face_area(size: int, face: Float64) -> NDArray[np.bool_]:
    """(size, size) True inside the outline of a face mesh (478, 2 or more), pixels."""
    from PIL import ImageDraw

    area = pillow().new("1", (size, size))
    ImageDraw.Draw(area).polygon([(x, y) for x, y in face[OVAL, :2].tolist()], fill=1)
    return np.array(area)


def light_of(pixels: Pixels, face: Float64) -> Light | None:
    """Of a picture (H, H, 3); None if both halves of the face (478, 2 or more) are not in it."""
    area = face_area(len(pixels), face)
    top, chin = face[FOREHEAD, :2], face[CHIN, :2]
    y, x = np.mgrid[: len(pixels), : len(pixels)] + 0.5
    side = (chin[0] - top[0]) * (y - top[1]) - (chin[1] - top[1]) * (x - top[0]) > 0
    if not ((area & side).any() and (area & ~side).any()):
        return None
    luma = pixels @ WEIGHTS
    inside = luma[area]
    halves = [float(np.median(_linear(luma[area & half]))) for half in (side, ~side)]
    low, high = np.percentile(inside, [5, 95])
    return Light(
        brightness=float(np.median(inside)),
        contrast=float(high - low),
        clipped=100 * float((pixels[area].max(1) >= WHITE).mean()),
        uneven=abs(float(np.log2(halves[0] + 1e-3) - np.log2(halves[1] + 1e-3))),
    )


def _linear(luma: Float64) -> Float64:
    """sRGB's curve removed: 0 to 1, proportional to light."""
    value = luma / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
