"""Picture strips of a report: a few frames, each true, rendered and as their difference."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...dataset.load import Frame, TrainingClip
from ...pages.records import Strip
from ...records.arrays import Float32
from .pictures import Box, cropped, difference, enlarged, to_bytes

COLUMNS = 8
BLINK = 0.5  # eye closure above which a frame is shown
MOUTH_HEIGHT = 96  # pixels, of the enlarged mouths


class StripMaker:
    """Keeps the pictures of a few of the frames that are added."""

    def __init__(self, clip: TrainingClip, rows: tuple[int, ...], columns: int = COLUMNS) -> None:
        places = np.linspace(0, len(rows) - 1, min(columns, len(rows))).round().astype(int)
        chosen = [rows[index] for index in places]
        # A blink is short: evenly spaced frames would hardly show one.
        blink = max(rows, key=lambda row: float(clip.eyes[row]))
        if clip.eyes[blink] > BLINK and len(chosen) > 2:
            chosen[min(range(len(chosen)), key=lambda i: abs(chosen[i] - blink))] = blink
        self.rows = set(chosen)
        self._clip = clip
        self._box: Box = clip.head_box(sorted(self.rows))
        self._frames: dict[int, tuple[NDArray[np.uint8], NDArray[np.uint8]]] = {}

    def add(self, frame: Frame, picture: Float32, truth: Float32) -> None:
        if frame.row in self.rows:
            self._frames[frame.row] = (to_bytes(truth), to_bytes(picture))

    def strips(self) -> tuple[Strip, ...]:
        heads, mouths = [], []
        for row, (truth, picture) in sorted(self._frames.items()):
            gap = difference(picture, truth)
            parts = tuple(cropped(part, self._box) for part in (truth, picture, gap))
            heads.append((f"frame {row}", parts))
            box = mouth_box(self._clip, row)
            if box is not None:
                near = tuple(enlarged(part, box, MOUTH_HEIGHT) for part in (truth, picture, gap))
                mouths.append((f"frame {row}", near))
        rows = ("true", "avatar", "difference ×4")
        found = [Strip("Heads", rows, tuple(heads))]
        if mouths:
            found.append(Strip("Mouths, enlarged", rows, tuple(mouths)))
        return tuple(found)


def mouth_box(clip: TrainingClip, row: int) -> Box | None:
    """A box of 3 to 2 around the mouth, 1.5 times as wide, inside the picture; None without
    landmarks."""
    lips = clip.landmarks[row, 48:60]
    if not np.isfinite(lips).all():
        return None
    middle = (lips.min(0) + lips.max(0)) / 2
    half = 0.75 * float(np.ptp(lips[:, 0]))
    x0, x1 = int(middle[0] - half), int(middle[0] + half)
    y0, y1 = int(middle[1] - half / 1.5), int(middle[1] + half / 1.5)
    y0, y1 = max(0, y0), min(clip.height, y1)
    x0, x1 = max(0, x0), min(clip.width, x1)
    return (y0, y1, x0, x1) if y1 - y0 > 1 and x1 - x0 > 1 else None
