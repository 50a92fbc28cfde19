"""The sound as the network hears it: one window a row, 25 rows a second."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

AROUND = 8  # windows that the network sees at once: rows i-4 .. i+3 (reference note §5)


@dataclass(frozen=True, eq=False)
class AudioTrack:
    """windows (F, W, D) float32: F rows, W steps a window, D values a step, normalised.
    Row i belongs to the time i / 25 s after the start of the sound."""

    windows: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.windows)

    def around(self, row: int) -> NDArray[np.float32]:
        """(8, D, W) float32: windows row-4 .. row+3 in the network's layout; zeros where there is
        no sound (as the official loader does)."""
        out = np.zeros((AROUND, self.windows.shape[2], self.windows.shape[1]), np.float32)
        first = row - AROUND // 2
        lo, hi = max(first, 0), min(first + AROUND, len(self))
        if lo < hi:
            out[lo - first : hi - first] = self.windows[lo:hi].transpose(0, 2, 1)
        return out
