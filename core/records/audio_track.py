"""A sound as the network's input: one window of features a row, 25 rows a second."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

AROUND = 8  # windows that the network sees at once: rows i-4 .. i+3 (docs/method.md §5.3)
MARGIN = 5  # rows after a sound whose windows of 16 steps, two a row, still reach into it


@dataclass(frozen=True, eq=False)
class AudioTrack:
    """windows (F + 2 margin, W, D) float32: F rows, W steps a window, D values a step, normalised;
    `margin` more rows before the first and after the last. Row i belongs to the time i / 25 s after
    the start of the sound. outside (W, D) float32: the window farther out; None means zeros.

    The official loader has no margin and zeros. With `outside` = silence a track equals the track
    of the same sound recorded with silence around it.
    """

    windows: NDArray[np.float32]
    outside: NDArray[np.float32] | None = None
    margin: int = 0

    def __len__(self) -> int:
        """F, the rows of the sound itself."""
        return len(self.windows) - 2 * self.margin

    def around(self, row: int) -> NDArray[np.float32]:
        """(8, D, W) float32: windows row-4 .. row+3 in the network's layout."""
        out = np.zeros((AROUND, self.windows.shape[2], self.windows.shape[1]), np.float32)
        if self.outside is not None:
            out[:] = self.outside.T
        first = row + self.margin - AROUND // 2
        lo, hi = max(first, 0), min(first + AROUND, len(self.windows))
        if lo < hi:
            out[lo - first : hi - first] = self.windows[lo:hi].transpose(0, 2, 1)
        return out

    def at_rows(self, rows: NDArray[np.int64]) -> AudioTrack:
        """The track whose row i is row rows[i] of this one; what is outside where that has none."""
        ends = np.arange(1, self.margin + 1)
        wanted = np.concatenate([rows[:1] - ends[::-1], rows, rows[-1:] + ends]) + self.margin
        inside = (wanted >= 0) & (wanted < len(self.windows))
        windows = np.zeros((len(wanted), *self.windows.shape[1:]), np.float32)
        if self.outside is not None:
            windows[:] = self.outside
        windows[inside] = self.windows[wanted[inside]]
        return AudioTrack(windows, self.outside, self.margin)
