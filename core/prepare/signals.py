"""What frames are judged by: a tiny picture, the colours of the face, its sharpness and light."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from ..images.pillow import resized
from ..images.sampling import bilinear
from ..records.arrays import Float32, Float64
from .landmarks import MESHES
from .mesh import SKIN_POINTS
from .pictures import Pixels
from .step import Files, Step

SMALL = 16  # pixels a side of the tiny pictures
SAMPLED = 64  # pixels a side of the picture that colours are read from, so that pores do not matter
CLIPPED = 250  # brightness from which skin counts as overexposed


@dataclass(frozen=True, eq=False)
class Signals:
    """Of every frame: small (F, 16, 16, 3) uint8, the whole picture; skin (F, 468, 3) uint8, the
    colours at the points of its face mesh; sharp (F,), the finest detail of the face in shares of
    its contrast."""

    small: NDArray[np.uint8]
    skin: NDArray[np.uint8]
    sharp: Float32

    @property
    def brightness(self) -> Float64:
        """(F,) of the face, from 0 to 255."""
        return np.asarray(np.median(grey(self.skin), axis=1))


def grey(colours: NDArray[np.generic]) -> Float64:
    """(...) brightness of (..., 3), by the weights of BT.601."""
    return np.asarray(colours, np.float64) @ np.array([0.299, 0.587, 0.114])


def read_signals(step: Step, rows: Sequence[int]) -> Signals:
    """The signals of the frames `rows`, on all cores."""
    parts = list(step.spread(_signals, rows, _tool))
    return Signals(
        np.stack([part[0] for part in parts]),
        np.stack([part[1] for part in parts]),
        np.array([part[2] for part in parts], np.float32),
    )


def replaced(signals: Signals, rows: Sequence[int], newer: Signals) -> Signals:
    """`signals` in which the frames `rows` are those of `newer`."""
    out = {field.name: getattr(signals, field.name).copy() for field in fields(Signals)}
    for name, values in out.items():
        values[list(rows)] = getattr(newer, name)
    return Signals(**out)


def load_signals(step: Step, name: str) -> Signals:
    found = step.load(name)
    return Signals(**{field.name: found[field.name] for field in fields(Signals)})


def _tool(files: Files) -> tuple[Files, Float32]:
    return files, files.load(MESHES)["meshes"]


def _signals(
    tool: tuple[Files, Float32], row: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], float]:
    files, meshes = tool
    pixels, mesh = files.pixels(row), meshes[row].astype(np.float64)
    return signals_of(pixels, mesh)


def signals_of(pixels: Pixels, mesh: Float64) -> tuple[NDArray[np.uint8], NDArray[np.uint8], float]:
    """small, skin and sharp of one frame (H, H, 3) with the mesh (478, 3) of its face."""
    size = len(pixels)
    small = resized(pixels, SMALL, SMALL, "BOX")
    sampled = resized(pixels, SAMPLED, SAMPLED, "BOX").astype(np.float32)
    places = mesh[None, :SKIN_POINTS, :2] * (SAMPLED / size)
    skin = bilinear(sampled[None], places, np.float32)[0]
    return small, np.rint(skin).astype(np.uint8), sharpness(pixels, mesh)


def sharpness(pixels: Pixels, mesh: Float64) -> float:
    """The finest detail of the face (what a blur of one pixel takes away) in shares of its
    contrast; 0 without a face."""
    from scipy.ndimage import gaussian_filter

    size = len(pixels)
    (x0, y0), (x1, y1) = (
        np.clip(corner(mesh[:, :2], axis=0), 0, size).astype(int) for corner in (np.min, np.max)
    )
    face = grey(pixels[y0:y1, x0:x1])
    if min(face.shape) < 8:
        return 0.0
    return float((face - gaussian_filter(face, 1.0)).std() / max(face.std(), 1.0))
