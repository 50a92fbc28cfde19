"""The compressed .ply of PlayCanvas and SuperSplat: 16 bytes a Gaussian and one for each harmonic.

256 Gaussians make a chunk, which has the bounds of their positions, scales and, in newer files,
colours; between these a value has 8 to 11 bits. From the format's public description, which is that
of splat-transform (MIT licence); a test compares with another reader.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import PlyError
from ..records.arrays import Float32
from ..records.gaussians import C0, SH_COEFFICIENTS, Gaussians
from .cloud import Cloud
from .ply_header import Element, Header
from .splat import logits_of

CHUNK = 256  # Gaussians
PACKED = ("packed_position", "packed_rotation", "packed_scale", "packed_color")
BOUNDS = tuple(f"{end}_{axis}" for end in ("min", "max") for axis in "xyz")
SCALE_BOUNDS = tuple(f"{end}_scale_{axis}" for end in ("min", "max") for axis in "xyz")
COLOUR_BOUNDS = tuple(f"{end}_{channel}" for end in ("min", "max") for channel in "rgb")
HARMONICS = "sh"  # the element
REST = (0, 9, 24, 45)  # properties of it

Rows = NDArray[Any]  # (n,) structured, a field for each property
ReadRows = Callable[[Element, int, int], Rows]
"""(element, start, stop) -> those rows of it."""


def is_packed(header: Header) -> bool:
    return any(
        element.name == "vertex"
        and any(name.startswith("packed_") for name, _ in element.properties)
        for element in header.elements
    )


def packed_cloud(header: Header, read: ReadRows) -> Cloud:
    """read: of a file that is long enough for its elements. PlyError, without the file's name."""
    elements = {element.name: element for element in header.elements}
    vertex, chunk, rest = elements["vertex"], elements.get("chunk"), elements.get(HARMONICS)
    if not header.order or chunk is None:
        raise PlyError("it is a compressed splat .ply without its chunks; save it again")
    _check(vertex, PACKED, "u4")
    coloured = COLOUR_BOUNDS[0] in dict(chunk.properties)
    _check(chunk, (*BOUNDS, *SCALE_BOUNDS, *(COLOUR_BOUNDS if coloured else ())), "f4")
    count, harmonics = vertex.count, len(rest.properties) if rest else 0
    if count == 0 or chunk.count != -(-count // CHUNK) or (rest and rest.count != count):
        raise PlyError(
            f"it is a compressed splat .ply of {count} Gaussians in {chunk.count} chunks, which do "
            "not belong together; save it again"
        )
    if harmonics not in REST:
        raise PlyError(f"it has {harmonics} harmonics; give 0, 9, 24 or 45")
    if rest:
        _check(rest, tuple(f"f_rest_{i}" for i in range(harmonics)), "u1")
    bounds = read(chunk, 0, chunk.count)

    def gaussians(start: int, stop: int) -> Gaussians:
        rows = read(vertex, start, stop)
        box = bounds[np.arange(start, stop) // CHUNK]
        colours = _parts(rows["packed_color"], (24, 8), (16, 8), (8, 8), (0, 8))
        sh = np.zeros((len(rows), SH_COEFFICIENTS, 3), np.float32)
        base = _between(box, COLOUR_BOUNDS, colours[:, :3]) if coloured else colours[:, :3]
        sh[:, 0] = (base - 0.5) / C0
        if rest and harmonics:
            coded = read(rest, start, stop)
            columns = np.stack([coded[f"f_rest_{i}"] for i in range(harmonics)], axis=1)
            channels = _harmonic(columns).reshape(len(rows), 3, harmonics // 3)
            sh[:, 1 : 1 + harmonics // 3] = channels.transpose(0, 2, 1)
        axes = ((21, 11), (11, 10), (0, 11))
        return Gaussians(
            means=_between(box, BOUNDS, _parts(rows["packed_position"], *axes)),
            log_scales=_between(box, SCALE_BOUNDS, _parts(rows["packed_scale"], *axes)),
            quats=_rotations(rows["packed_rotation"]),
            opacity_logits=logits_of(colours[:, 3]),
            sh=sh,
        )

    return Cloud(count, gaussians)


def _check(element: Element, names: tuple[str, ...], kind: str) -> None:
    """PlyError unless the element has these properties, of that type."""
    found = dict(element.properties)
    wrong = [name for name in names if found.get(name) != kind]
    if wrong:
        raise PlyError(
            f"it is a compressed splat .ply whose {element.name} has no property {wrong[0]} of the "
            "usual type; save it again"
        )


def _parts(words: NDArray[Any], *places: tuple[int, int]) -> NDArray[np.float64]:
    """(n, len(places)) from 0 to 1. places: the lowest bit and the number of bits of each."""
    wide = words.astype(np.uint32)
    return np.stack(
        [(wide >> low & (1 << bits) - 1) / ((1 << bits) - 1) for low, bits in places], 1
    )


def _between(box: Rows, names: tuple[str, ...], share: NDArray[np.float64]) -> Float32:
    """(n, 3). names: of the three lower and the three upper bounds."""
    bounds = np.stack([box[name] for name in names], axis=1).astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):  # bounds of a damaged file
        made: Float32 = (bounds[:, :3] * (1 - share) + bounds[:, 3:] * share).astype(np.float32)
    return made


def _rotations(words: NDArray[Any]) -> Float32:
    """(n, 4) w, x, y, z: two bits name the largest, the others follow in that order."""
    others = (_parts(words, (20, 10), (10, 10), (0, 10)) - 0.5) * np.sqrt(2)
    return with_largest(others, words.astype(np.uint32) >> 30)


def with_largest(others: NDArray[np.floating], largest: NDArray[Any]) -> Float32:
    """(n, 4) w, x, y, z of unit length. others: (n, 3) the components that are not the largest, in
    this order; largest: (n,) which one that is, 0 to 3."""
    out = np.zeros((len(others), 4), np.float32)
    left = np.sqrt(np.maximum(0, 1 - np.square(others).sum(axis=1)))
    for number in range(4):
        rows = largest == number
        out[rows] = np.insert(others[rows], number, left[rows], axis=1)
    return out


def _harmonic(coded: NDArray[np.uint8]) -> Float32:
    """From -4 to 4: both ends exactly, else the middle of a byte's range."""
    share = (coded + 0.5) / 256
    share[coded == 0], share[coded == 255] = 0, 1
    return (8 * share - 4).astype(np.float32)
