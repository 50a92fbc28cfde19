"""What a stream says of its colours, and their way to BT.709.

Numbers are those of ITU-T H.273, as libav uses them. Standard pictures need only the right matrix
and range, which libav applies. HDR (HLG, PQ) and wide primaries (BT.2020, P3) are converted here:

1. HLG and PQ become display light by ITU-R BT.2100, HLG for a display of 1000 cd/m2; gamma curves
   by BT.1886.
2. 203 cd/m2, the white of graphics by ITU-R BT.2408, becomes the white of the new picture.
3. The primaries are converted; what lies outside BT.709 is clipped.
4. Light above KNEE is bent smoothly so that the peak becomes white; R, G and B keep their
   proportions.
5. BT.1886 is inverted. Colours below the knee so return to the SDR picture from which BT.2408 makes
   the HDR one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...records.arrays import Float32, Float64

HLG, PQ = 18, 16  # transfers
MATRICES = {1: "bt709", 4: "fcc", 5: "bt601", 6: "bt601", 7: "smpte240m", 9: "bt2020", 10: "bt2020"}
UNSPECIFIED, FULL = 2, 2  # of matrix, primaries and transfer; of the range
HD_WIDTH, HD_HEIGHT = 1280, 577  # from which pictures without a matrix are BT.709, as players do
# x and y of red, green, blue; all have the white D65. Others differ little from BT.709.
WIDE = {
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
}
NARROW = ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060))
D65 = (0.3127, 0.3290)
GAMMA = 2.4  # BT.1886
WHITE, PEAK = 203.0, 1000.0  # cd/m2
KNEE = 0.75  # of white
CODES = 4096  # of the tables


@dataclass(frozen=True)
class Colour:
    """matrix: libav's name. full: whether values fill the whole range. transfer, primaries: numbers
    of H.273."""

    matrix: str
    full: bool
    transfer: int
    primaries: int

    @property
    def name(self) -> str:
        """For the user, empty for standard colours."""
        curve = {HLG: "HLG", PQ: "PQ"}.get(self.transfer, "")
        space = {9: "BT.2020", 12: "P3"}.get(self.primaries, "")
        return f"{curve} {space}".strip()


def colour_of(frame: Any, context: Any) -> Colour:
    """By the frame, and where it says nothing by its size."""
    matrix, transfer = int(frame.colorspace), int(context.color_trc)
    primaries = int(context.color_primaries)
    if transfer in (HLG, PQ) and primaries == UNSPECIFIED:
        primaries = 9
    name = MATRICES.get(matrix)
    if name is None and primaries == 9:
        name = "bt2020"
    if name is None:
        large = frame.width >= HD_WIDTH or frame.height >= HD_HEIGHT
        name = "bt709" if large else "bt601"
    full = int(frame.color_range) == FULL or frame.format.name.startswith("yuvj")
    return Colour(name, full, transfer, primaries)


def needs_mapping(colour: Colour) -> bool:
    return colour.transfer in (HLG, PQ) or colour.primaries in WIDE


def to_bt709(pixels: NDArray[np.uint16], colour: Colour) -> NDArray[np.uint8]:
    """(H, W, 3) of HDR or wide pixels (H, W, 3) of 16 bits."""
    light = _light(colour.transfer)[pixels >> 4]
    if colour.transfer == HLG:
        # The display's gamma of 1.2, by the luminance of the scene.
        luminance = light @ np.array([0.2627, 0.6780, 0.0593], np.float32)
        light *= np.power(np.maximum(luminance, 1e-6), np.float32(0.2))[..., None]
        light *= np.float32(PEAK / WHITE)
    if colour.primaries in WIDE:
        light = light @ _conversion(colour.primaries).T
    np.maximum(light, 0, out=light)
    if colour.transfer in (HLG, PQ):
        light *= _gain(light.max(2))[..., None]
    # The table goes by square roots, so that dark values are not coarse.
    codes = np.sqrt(np.minimum(light, 1, out=light)) * (CODES - 1) + 0.5
    return _encoding()[codes.astype(np.uint16)]


def _gain(largest: Float32) -> Float32:
    """The factor that bends light, in whites, at the knee: the identity up to it, slope 1 there,
    1 at the peak."""
    peak = (PEAK / WHITE - KNEE) / (1 - KNEE)
    over = np.maximum((np.minimum(largest, PEAK / WHITE) - KNEE) / (1 - KNEE), 0)
    bent = KNEE + (1 - KNEE) * over * (1 + over / peak**2) / (1 + over)
    return np.where(over > 0, bent / np.maximum(largest, KNEE), 1).astype(np.float32)


@cache
def _light(transfer: int) -> Float32:
    """(CODES,) light of a code: of the scene from 0 to 1 for HLG, otherwise in whites."""
    code = np.linspace(0, 1, CODES)
    if transfer == HLG:
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        return np.where(code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12).astype("f4")
    if transfer == PQ:
        m1, m2, c1, c2, c3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875
        root = code ** (1 / m2)
        light = 10000 * (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1)
        return (light / WHITE).astype(np.float32)
    return (code**GAMMA).astype(np.float32)


@cache
def _encoding() -> NDArray[np.uint8]:
    """(CODES,) 8-bit values of light whose square root is the index."""
    root = np.linspace(0, 1, CODES)
    return np.rint(255 * root ** (2 / GAMMA)).astype(np.uint8)


@cache
def _conversion(primaries: int) -> Float32:
    """(3, 3) from linear RGB of these primaries to that of BT.709."""
    return (np.linalg.inv(_to_xyz(NARROW)) @ _to_xyz(WIDE[primaries])).astype(np.float32)


def _to_xyz(corners: tuple[tuple[float, float], ...]) -> Float64:
    columns = np.array([(x / y, 1, (1 - x - y) / y) for x, y in corners]).T
    x, y = D65
    white = np.array([x / y, 1, (1 - x - y) / y])
    return columns * np.linalg.solve(columns, white)
