"""A sound as the network's input: one window of features a row, 25 rows a second."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import ArgumentError

AROUND = 8  # windows that the network sees at once: rows i-4 .. i+3 (docs/method.md §5.3)
MARGIN = 5  # rows after a sound whose windows of 16 steps, two a row, still reach into it


@dataclass(frozen=True, eq=False)
class AudioTrack:
    """windows (F + 2 margin, W, D) float32: F rows, W steps a window, D values a step, normalised;
    `margin` more rows before the first and after the last. Row i belongs to the time i / 25 s after
    the start of the sound. outside (W, D) float32: the window farther out; None means zeros.

    The official loader has no margin and zeros. With `outside` = silence a track equals the track
    of the same sound recorded with silence around it.

    first, rows: of a track that holds a part of its windows, for some frames of a long sound: the
    row of windows[0], and F. It has the rows that those frames need, and no others can be had.
    """

    windows: NDArray[np.float32]
    outside: NDArray[np.float32] | None = None
    margin: int = 0
    first: int | None = None
    rows: int | None = None

    def __len__(self) -> int:
        """F, the rows of the sound itself."""
        return len(self.windows) - 2 * self.margin if self.rows is None else self.rows

    def around(self, row: int) -> NDArray[np.float32]:
        """(8, D, W) float32: windows row-4 .. row+3 in the network's layout."""
        out = np.zeros((AROUND, self.windows.shape[2], self.windows.shape[1]), np.float32)
        if self.outside is not None:
            out[:] = self.outside.T
        start = -self.margin if self.first is None else self.first
        lo = max(row - AROUND // 2, -self.margin)
        hi = min(row + AROUND // 2, len(self) + self.margin)
        if lo < hi:
            if not start <= lo < hi <= start + len(self.windows):
                raise ArgumentError(f"row {row} is not in the computed part of the sound")
            out[lo - row + AROUND // 2 :][: hi - lo] = self.windows[
                lo - start : hi - start
            ].transpose(0, 2, 1)
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
