"""What frames are judged by: a tiny picture, and the colours of the face."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..images.pillow import resized
from ..images.sampling import bilinear
from ..records.arrays import Float32
from .landmarks import MESHES
from .mesh import SKIN_POINTS
from .step import Files, Step

SMALL = 16  # pixels a side of the tiny pictures
SAMPLED = 64  # pixels a side of the picture that colours are read from, so that pores do not matter


@dataclass(frozen=True, eq=False)
class Signals:
    """Of every frame: small (F, 16, 16, 3) uint8, the whole picture; skin (F, 468, 3) uint8, the
    colours at the points of its face mesh."""

    small: NDArray[np.uint8]
    skin: NDArray[np.uint8]


def read_signals(step: Step, rows: Sequence[int]) -> Signals:
    """The signals of the frames `rows`, on all cores."""
    small, skin = zip(*step.spread(_signals, rows, _tool), strict=True)
    return Signals(np.stack(small), np.stack(skin))


def replaced(signals: Signals, rows: Sequence[int], newer: Signals) -> Signals:
    """`signals` in which the frames `rows` are those of `newer`."""
    small, skin = signals.small.copy(), signals.skin.copy()
    small[list(rows)], skin[list(rows)] = newer.small, newer.skin
    return Signals(small, skin)


def _tool(files: Files) -> tuple[Files, Float32]:
    return files, files.load(MESHES)["meshes"]


def _signals(tool: tuple[Files, Float32], row: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """small and skin of one frame."""
    files, meshes = tool
    pixels = files.pixels(row)
    small = resized(pixels, SMALL, SMALL, "BOX")
    sampled = resized(pixels, SAMPLED, SAMPLED, "BOX").astype(np.float32)
    places = meshes[row][None, :SKIN_POINTS, :2].astype(np.float64) * (SAMPLED / len(pixels))
    skin = bilinear(sampled[None], places, np.float32)[0]
    return small, np.rint(skin).astype(np.uint8)
