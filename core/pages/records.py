"""What a page can show besides text."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Curve:
    """series: label -> values, one for every x; NaN leaves a gap. marks: vertical lines at these
    x."""

    key: str
    title: str
    x_label: str
    y_label: str
    x: tuple[float, ...]
    series: dict[str, tuple[float, ...]]
    marks: tuple[float, ...] = ()


@dataclass(frozen=True, eq=False)
class Strip:
    """columns: (caption, pictures from top to bottom, each (H, W, 3) uint8). rows: their labels."""

    title: str
    rows: tuple[str, ...]
    columns: tuple[tuple[str, tuple[NDArray[np.uint8], ...]], ...]


@dataclass(frozen=True)
class Timeline:
    """Which kind each moment is of. seconds: its length. kinds: labels, the first is the usual one.
    spans: (begin, end, index of a kind) in seconds; the rest is of the first kind."""

    title: str
    seconds: float
    kinds: tuple[str, ...]
    spans: tuple[tuple[float, float, int], ...]
