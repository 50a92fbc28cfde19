"""How stored pictures are put upright: quarter turns and mirroring of the display matrix, and the
shape of a pixel."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Number = TypeVar("Number", np.uint8, np.uint16)
Rectangle = tuple[float, float, float, float]  # x0, y0, x1, y1 in shares of the picture


@dataclass(frozen=True)
class Orientation:
    """An upright picture is the stored one, with x and y swapped if transposed, and then mirrored
    left to right (flip_x), upside down (flip_y) or both."""

    transposed: bool = False
    flip_x: bool = False
    flip_y: bool = False

    @property
    def turned(self) -> int:
        """Degrees counter-clockwise by which stored pictures are turned, after mirroring."""
        if self.transposed:
            return 90 if self.flip_y else 270
        return 180 if self.flip_y else 0

    @property
    def mirrored(self) -> bool:
        return self.transposed ^ self.flip_x ^ self.flip_y

    def upright(self, pixels: NDArray[Number]) -> NDArray[Number]:
        """(H, W, 3) of a stored picture."""
        if self.transposed:
            pixels = pixels.swapaxes(0, 1)
        if self.flip_x:
            pixels = pixels[:, ::-1]
        return np.ascontiguousarray(pixels[::-1] if self.flip_y else pixels)

    def stored(self, part: Rectangle) -> Rectangle:
        """Where a part of the upright picture lies in the stored one."""
        x0, y0, x1, y1 = part
        if self.flip_x:
            x0, x1 = 1 - x1, 1 - x0
        if self.flip_y:
            y0, y1 = 1 - y1, 1 - y0
        return (y0, x0, y1, x1) if self.transposed else (x0, y0, x1, y1)


def orientation_of(frame: Any) -> Orientation:
    """That of PyAV's frame, by the display matrix of its file or stream."""
    from av.sidedata.sidedata import Type

    data = frame.side_data.get(Type.DISPLAYMATRIX)
    if data is None:
        return Orientation()
    # x' = a x + c y, y' = b x + d y
    a, b, _, c, d = struct.unpack("<5i", bytes(data)[:20])
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Orientation(False, a < 0, d < 0)
    return Orientation(True, c < 0, b < 0)
