"""What the splats are blended into before the region sees them, one for every size of region."""

from __future__ import annotations

from dataclasses import dataclass, field

import gpu

MAX_SIZES = 6  # a quad view has up to four; more windows than this make them anew
COLOUR_FORMAT = "RGBA16F"  # 8 bits of it are shown; 32 bits do not blend on every GPU
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
        self._made[size] = target  # the one used last is the last
        while len(self._made) > MAX_SIZES:
            del self._made[next(iter(self._made))]
        return target

    def __len__(self) -> int:
        return len(self._made)

    def clear(self) -> None:
        self._made.clear()


def _make(size: tuple[int, int]) -> Target:
    colour = gpu.types.GPUTexture(size, format=COLOUR_FORMAT)
    depth = gpu.types.GPUTexture(size, format=DEPTH_FORMAT)
    return Target(colour, depth, gpu.types.GPUFrameBuffer(color_slots=(colour, depth)))
