"""Offscreen targets that the splats are blended into, one for each size of region."""

from __future__ import annotations

from dataclasses import dataclass, field

import gpu

MAX_SIZES = 6  # a quad view has up to four; beyond that, targets are created again
COLOUR_FORMAT = "RGBA16F"  # shown with 8 bits; not every GPU blends 32 bits
DEPTH_FORMAT = "R16F"


@dataclass(frozen=True, eq=False)
class Target:
    """colour: sRGB-encoded, premultiplied. depth: 0 (nearest) to 1 (farthest), times alpha."""

    colour: gpu.types.GPUTexture
    depth: gpu.types.GPUTexture
    frame: gpu.types.GPUFrameBuffer


@dataclass
class Targets:
    _made: dict[tuple[int, int], Target] = field(default_factory=dict)

    def get(self, width: int, height: int) -> Target:
        size = (width, height)
        target = self._made.pop(size, None) or _make(size)
        self._made[size] = target  # the most recently used is last
        while len(self._made) > MAX_SIZES:
            del self._made[next(iter(self._made))]
        return target

    def clear(self) -> None:
        self._made.clear()


def _make(size: tuple[int, int]) -> Target:
    colour = gpu.types.GPUTexture(size, format=COLOUR_FORMAT)
    depth = gpu.types.GPUTexture(size, format=DEPTH_FORMAT)
    return Target(colour, depth, gpu.types.GPUFrameBuffer(color_slots=(colour, depth)))
