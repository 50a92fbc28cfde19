"""3DGS .ply files with numpy alone, as the official code and other splat tools write them.

Values are raw, as in `Gaussians`; f_rest is channel-major in the file (docs/method.md §4).
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..errors import PlyError
from ..records.arrays import Float32
from ..records.gaussians import C0, SH_COEFFICIENTS, Gaussians
from ..system.files import open_regular, reason
from .splat_kinds import not_ply

MAX_FILE = 4 * 2**30  # bytes
BOM = b"\xef\xbb\xbf"
MAX_HEADER = 64 * 2**10  # bytes; 62 properties need 1.5 kB
REST = SH_COEFFICIENTS - 1

TYPES = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1",
    "short": "i2", "int16": "i2", "ushort": "u2", "uint16": "u2",
    "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4",
    "float": "f4", "float32": "f4", "double": "f8", "float64": "f8",
}  # fmt: skip
ORDERS = {"binary_little_endian": "<", "binary_big_endian": ">", "ascii": ""}

POSITION = ("x", "y", "z")
COLOUR = ("f_dc_0", "f_dc_1", "f_dc_2")
RGB = ("red", "green", "blue")
SCALE = ("scale_0", "scale_1", "scale_2")
ROTATION = ("rot_0", "rot_1", "rot_2", "rot_3")
REQUIRED = (*POSITION, *COLOUR, "opacity", *SCALE, *ROTATION)


@dataclass
class _Element:
    """properties: (name, numpy type), None as type for a list."""

    name: str
    count: int
    properties: list[tuple[str, str | None]]


@dataclass(frozen=True)
class _Header:
    order: str  # byte order, empty for ascii
    elements: list[_Element]
    length: int  # bytes
    comments: tuple[str, ...]


def read_ply(path: str | Path) -> Gaussians:
    """Binary (either byte order) or ascii; properties in any order; degree 0 to 3, missing
    harmonics are zero; colours may be red, green, blue; other properties are ignored. PlyError
    names what is wrong, also a Gaussian that is NaN or infinite: mended.py keeps the others."""
    gaussians, _ = read_raw(path)
    bad = int(np.count_nonzero(~finite_rows(gaussians)))
    if bad:
        raise PlyError(
            f"{path}: {bad} of {len(gaussians)} Gaussians are NaN or infinite; the training "
            "diverged or the file is damaged, take an earlier iteration"
        )
    return gaussians


def read_raw(path: str | Path) -> tuple[Gaussians, tuple[str, ...]]:
    """(the Gaussians as they are, the header's comments). PlyError."""
    path = Path(path)
    file, size = open_regular(path, PlyError, MAX_FILE)
    with file:
        try:
            header = _read_header(file)
            before, vertex = _split(header.elements)
            _check_names(vertex)
            last = vertex is header.elements[-1]
            read = _read_binary if header.order else _read_ascii
            rows = read(file, size, header, before, vertex, last)
            return _gaussians(rows, vertex), header.comments
        except PlyError as error:
            raise PlyError(f"{path}: {error}") from None
        except OSError as error:
            raise PlyError(f"{path} cannot be read: {reason(error)}") from None


def _read_header(file: BinaryIO) -> _Header:
    start = file.read(MAX_HEADER)
    skipped = len(BOM) if start.startswith(BOM) else 0
    if start[skipped:][:3].lower() != b"ply":
        raise PlyError(f"the file does not begin with 'ply'; {not_ply(start)}")
    line_end = re.match(rb"[ \t]*(\r\n|\n|\r)", start[skipped + 3 :])
    end = re.search(rb"[\r\n]end_header[ \t]*", start, re.IGNORECASE)
    if line_end is None or end is None or not start[end.end() :].startswith(line_end[1]):
        raise PlyError("the header has no end; the file is cut off or damaged")
    # Comments may be in any encoding; the rest is plain text.
    lines = re.split(r"\r\n|\n|\r", start[skipped : end.start()].decode("latin-1"))
    comments: list[str] = []
    order: str | None = None
    elements: list[_Element] = []
    for line in lines[1:]:
        keyword, *rest = line.split() or [""]
        match [keyword.lower(), *rest]:
            case [""]:
                pass
            case ["comment" | "obj_info", *_]:
                comments.append(" ".join(rest))
            case ["format", name, _] if name.lower() in ORDERS:
                order = ORDERS[name.lower()]
            case ["element", name, count] if count.isdigit() and len(count) < 16:
                elements.append(_Element(name, int(count), []))
            case ["property", "list", _, _, name] if elements:
                elements[-1].properties.append((name, None))
            case ["property", kind, name] if elements and kind.lower() in TYPES:
                elements[-1].properties.append((name, TYPES[kind.lower()]))
            case _:
                raise PlyError(f"header line {line[:60]!r} is not understood; the file is damaged")
    if order is None:
        raise PlyError("the header names no format; the file is damaged")
    return _Header(order, elements, end.end() + len(line_end[1]), tuple(comments))


def _split(elements: Sequence[_Element]) -> tuple[list[_Element], _Element]:
    """The elements before the vertices, and the vertices."""
    for index, element in enumerate(elements):
        if element.name == "vertex":
            before = list(elements[:index])
            break
    else:
        raise PlyError("there is no element 'vertex'; the file holds no Gaussians")
    for other in (*before, element):
        if any(kind is None for _, kind in other.properties):
            raise PlyError(
                f"element {other.name[:40]!r} holds lists; a 3D Gaussian .ply has none before its "
                "last Gaussian, save it again from a splat tool"
            )
    return before, element


def _check_names(vertex: _Element) -> None:
    names = [name for name, _ in vertex.properties]
    if len(set(names)) != len(names):
        raise PlyError("a property appears twice in the header; the file is damaged")
    coloured = set(RGB) <= set(names)
    missing = [n for n in REQUIRED if n not in names and not (coloured and n in COLOUR)]
    if missing:
        raise PlyError(f"property {', '.join(missing)} is missing: {_cause(missing, names)}")
    if vertex.count == 0:
        raise PlyError("the file holds 0 Gaussians; it was written before training began")
    rest = _rest_names(names)
    degrees = {3 * (degree + 1) ** 2 - 3 for degree in range(4)}
    if len(rest) not in degrees or any(name not in names for name in rest):
        raise PlyError(
            f"{len(rest)} properties f_rest_* do not make a whole degree of spherical harmonics; "
            "give 0, 9, 24 or 45, numbered from f_rest_0"
        )


def _rest_names(names: Sequence[str]) -> list[str]:
    return [f"f_rest_{i}" for i in range(sum(name.startswith("f_rest_") for name in names))]


def _cause(missing: Sequence[str], names: Sequence[str]) -> str:
    if any(name.startswith("packed_") for name in names):
        return "this is a compressed splat .ply; export it uncompressed"
    if "f_offset_0" in names:
        return (
            "these are the anchors of Scaffold-GS, from which its networks make Gaussians for each "
            "view; train with plain 3D Gaussians"
        )
    if list(missing) == ["scale_2"]:
        return "this is a 2D Gaussian (surfel) file; only 3D Gaussians can be drawn"
    if set(SCALE) <= set(missing):
        return "this is an ordinary point cloud or mesh; give the point_cloud.ply of a training"
    return "it was not written by a 3D Gaussian trainer, or was edited; save it again"


def _stride(element: _Element) -> int:
    return sum(np.dtype(kind).itemsize for _, kind in element.properties)


def _read_binary(
    file: BinaryIO,
    size: int,
    header: _Header,
    before: Sequence[_Element],
    vertex: _Element,
    last: bool,
) -> NDArray[Any]:
    """(count,) structured array, one field a property."""
    start = header.length + sum(_stride(element) * element.count for element in before)
    stride = _stride(vertex)
    room = max(size - start, 0)
    if room < stride * vertex.count or (last and room >= stride * (vertex.count + 1)):
        raise PlyError(
            f"the header promises {vertex.count} Gaussians of {stride} bytes, the file holds "
            f"{room // stride}; it is cut off or damaged, copy it again"
        )
    file.seek(start)
    dtype = np.dtype([(name, header.order + str(kind)) for name, kind in vertex.properties])
    rows = np.empty(vertex.count, dtype)
    if file.readinto(memoryview(rows.view(np.uint8))) != rows.nbytes:  # type: ignore[attr-defined]
        raise PlyError("the file changed while it was read; try again")
    return rows


def _read_ascii(
    file: BinaryIO,
    size: int,
    header: _Header,
    before: Sequence[_Element],
    vertex: _Element,
    last: bool,
) -> NDArray[Any]:
    """(count,) structured array of float64, one field a property."""
    skip, width = sum(element.count for element in before), len(vertex.properties)
    if 2 * width * vertex.count + 2 * skip > size - header.length + 1:
        raise PlyError(
            f"the header promises {vertex.count} Gaussians, more than {size} bytes can hold; "
            "the file is cut off or damaged"
        )
    file.seek(header.length)
    lines = [line for line in file.read().splitlines() if line.strip()][skip:]
    if len(lines) < vertex.count or (last and len(lines) > vertex.count):
        raise PlyError(
            f"the header promises {vertex.count} Gaussians, the file holds {len(lines)}; "
            "it is cut off or damaged, copy it again"
        )
    text = io.BytesIO(b"\n".join(lines[: vertex.count]))
    try:
        table = np.loadtxt(text, np.float64, comments=None, ndmin=2, encoding="latin-1")
    except ValueError:
        table = np.empty((0, 0))
    if table.shape != (vertex.count, width):
        raise PlyError(f"a line of Gaussians does not hold {width} numbers; the file is damaged")
    dtype = np.dtype([(name, np.float64) for name, _ in vertex.properties])
    return np.ascontiguousarray(table).view(dtype)[:, 0]


def _gaussians(rows: NDArray[Any], vertex: _Element) -> Gaussians:
    rest_names = _rest_names(rows.dtype.names or ())
    coefficients = len(rest_names) // 3
    sh = np.zeros((len(rows), SH_COEFFICIENTS, 3), np.float32)
    sh[:, 0] = _base_colours(rows, vertex)
    rest = _columns(rows, rest_names).reshape(len(rows), 3, coefficients)
    sh[:, 1 : 1 + coefficients] = rest.transpose(0, 2, 1)
    return Gaussians(
        means=_columns(rows, POSITION),
        log_scales=_columns(rows, SCALE),
        quats=_columns(rows, ROTATION),
        opacity_logits=_columns(rows, ("opacity",))[:, 0],
        sh=sh,
    )


def finite_rows(gaussians: Gaussians) -> NDArray[np.bool_]:
    """(N,) False for a Gaussian with a value that is NaN or infinite."""
    flat = [values.reshape(len(gaussians), -1) for values in vars(gaussians).values()]
    return np.isfinite(np.concatenate(flat, axis=1)).all(axis=1)


def _base_colours(rows: NDArray[Any], vertex: _Element) -> Float32:
    """(N, 3) of degree 0. Some trainers write red, green, blue instead: whole numbers up to the
    largest of their type, or 0 to 1."""
    kinds = dict(vertex.properties)
    if COLOUR[0] in kinds:
        return _columns(rows, COLOUR)
    kind = np.dtype(kinds[RGB[0]])
    most = np.iinfo(kind).max if kind.kind in "iu" else 1
    return ((_columns(rows, RGB) / np.float32(most) - np.float32(0.5)) / np.float32(C0)).astype(
        np.float32
    )


def _columns(rows: NDArray[Any], names: Sequence[str]) -> Float32:
    out = np.empty((len(rows), len(names)), np.float32)
    with np.errstate(over="ignore", invalid="ignore"):  # a double out of range becomes infinity
        for index, name in enumerate(names):
            out[:, index] = rows[name]
    return out
