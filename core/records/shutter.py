"""The shutter of a camera: the instants whose mean is a picture with motion blur."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..errors import ArgumentError

# Where the frame lies in the open time, as Blender names it: share of the time before it.
POSITIONS = {"START": 0.0, "CENTER": 0.5, "END": 1.0}
MAX_SAMPLES = 64  # instants of a picture
MAX_FRAMES_OPEN = 100.0  # no scene of Blender's exceeds it by its sliders


@dataclass(frozen=True)
class Shutter:
    """samples: instants of a picture, at least 2. length: frames that the shutter is open, > 0.
    position: one of POSITIONS, when the frame is relative to that time."""

    samples: int
    length: float = 0.5
    position: str = "CENTER"

    def __post_init__(self) -> None:
        if not 2 <= self.samples <= MAX_SAMPLES:
            raise ArgumentError(
                f"{self.samples} samples of motion blur are outside 2..{MAX_SAMPLES}"
            )
        if not (0 < self.length <= MAX_FRAMES_OPEN and math.isfinite(self.length)):
            raise ArgumentError(
                f"a shutter open for {self.length:g} frames is outside 0..{MAX_FRAMES_OPEN:g}"
            )
        if self.position not in POSITIONS:
            raise ArgumentError(f"shutter position {self.position!r} is not one of {[*POSITIONS]}")

    def frames(self, frame: float) -> tuple[float, ...]:
        """The instants of a frame as frames of the scene, the middles of equal parts of the open
        time, in order."""
        opens = frame - POSITIONS[self.position] * self.length
        step = self.length / self.samples
        return tuple(opens + (k + 0.5) * step for k in range(self.samples))
