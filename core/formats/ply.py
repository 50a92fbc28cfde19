"""3DGS .ply files with numpy alone, as the official code and other splat tools write them.

Values are raw, as in `Gaussians`; f_rest is channel-major in the file (docs/method.md §4).
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import PlyError
from ..records.arrays import Float32
from ..records.gaussians import C0, SH_COEFFICIENTS, Gaussians
from ..system.files import open_regular, reason
from .cloud import Cloud, cloud_of
from .packed_ply import ReadRows, is_packed, packed_cloud
from .ply_header import Element, Header, read_header

MAX_FILE = 4 * 2**30  # bytes
REST = SH_COEFFICIENTS - 1

POSITION = ("x", "y", "z")
COLOUR = ("f_dc_0", "f_dc_1", "f_dc_2")
RGB = ("red", "green", "blue")
SCALE = ("scale_0", "scale_1", "scale_2")
ROTATION = ("rot_0", "rot_1", "rot_2", "rot_3")
REQUIRED = (*POSITION, *COLOUR, "opacity", *SCALE, *ROTATION)


def read_ply(path: str | Path) -> Gaussians:
    """Binary (either byte order) or ascii; properties in any order; degree 0 to 3, missing
    harmonics are zero; colours may be red, green, blue; other properties are ignored. PlyError
    names what is wrong, also a Gaussian that is NaN or infinite: mended.py keeps the others."""
    content = open_ply(path)
    if content.packed:
        raise PlyError(f"{path} is a compressed splat .ply, in another order; give the original")
    gaussians = content.cloud.all()
    bad = int(np.count_nonzero(~finite_rows(gaussians)))
    if bad:
        raise PlyError(
            f"{path}: {bad} of {len(gaussians)} Gaussians are NaN or infinite; the training "
            "diverged or the file is damaged, take an earlier iteration"
        )
    return gaussians


@dataclass(frozen=True, eq=False)
class PlyContent:
    """cloud: the Gaussians as they are. comments: of the header. packed: True for the compressed
    kind of packed_ply.py."""

    cloud: Cloud
    comments: tuple[str, ...]
    packed: bool


def open_ply(path: str | Path) -> PlyContent:
    """The header is read now, the Gaussians where they are needed. PlyError."""
    path = Path(path)
    file, size = open_regular(path, PlyError, MAX_FILE)
    with file:
        try:
            header = read_header(file)
            packed = is_packed(header)
            if packed:
                _check_size(header, size)
                cloud = packed_cloud(header, _reader(path, header))
            else:
                before, vertex = _split(header.elements)
                _check_names(vertex)
                last = vertex is header.elements[-1]
                read = _binary if header.order else _ascii
                cloud = read(path, size, header, before, vertex, last)
            return PlyContent(cloud, header.comments, packed)
        except PlyError as error:
            raise PlyError(f"{path}: {error}") from None
        except OSError as error:
            raise PlyError(f"{path} cannot be read: {reason(error)}") from None


def _reader(path: Path, header: Header) -> ReadRows:
    """Reads rows of elements without lists, in binary."""
    dtypes, starts, start = {}, {}, header.length
    for element in header.elements:
        _check_once(element)
        dtypes[element.name] = np.dtype(
            [(name, header.order + str(kind)) for name, kind in element.properties]
        )
        starts[element.name] = start
        start += element.stride * element.count

    def read(element: Element, start: int, stop: int) -> NDArray[Any]:
        rows = np.empty(stop - start, dtypes[element.name])
        with path.open("rb") as file:
            file.seek(starts[element.name] + start * element.stride)
            if file.readinto(memoryview(rows.view(np.uint8))) != rows.nbytes:
                raise PlyError(f"{path} changed while it was read; try again")
        return rows

    return read


def _check_size(header: Header, size: int) -> None:
    for element in header.elements:
        if any(kind is None for _, kind in element.properties):
            raise PlyError(f"element {element.name[:40]!r} holds lists; save the file again")
    names = [element.name for element in header.elements]
    length = header.length + sum(element.stride * element.count for element in header.elements)
    if len(set(names)) != len(names) or length > size:
        raise PlyError(
            f"the header promises {length} bytes, the file holds {size}; it is cut off or damaged, "
            "copy it again"
        )


def _split(elements: Sequence[Element]) -> tuple[list[Element], Element]:
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


def _check_once(element: Element) -> None:
    if len({name for name, _ in element.properties}) != len(element.properties):
        raise PlyError("a property appears twice in the header; the file is damaged")


def _check_names(vertex: Element) -> None:
    names = [name for name, _ in vertex.properties]
    _check_once(vertex)
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


def _binary(
    path: Path,
    size: int,
    header: Header,
    before: Sequence[Element],
    vertex: Element,
    last: bool,
) -> Cloud:
    start = header.length + sum(element.stride * element.count for element in before)
    stride = vertex.stride
    room = max(size - start, 0)
    if room < stride * vertex.count or (last and room >= stride * (vertex.count + 1)):
        raise PlyError(
            f"the header promises {vertex.count} Gaussians of {stride} bytes, the file holds "
            f"{room // stride}; it is cut off or damaged, copy it again"
        )
    head = Header(header.order, [*before, vertex], header.length, ())
    read = _reader(path, head)
    return Cloud(vertex.count, lambda first, end: _gaussians(read(vertex, first, end), vertex))


def _ascii(
    path: Path,
    size: int,
    header: Header,
    before: Sequence[Element],
    vertex: Element,
    last: bool,
) -> Cloud:
    skip, width = sum(element.count for element in before), len(vertex.properties)
    if 2 * width * vertex.count + 2 * skip > size - header.length + 1:
        raise PlyError(
            f"the header promises {vertex.count} Gaussians, more than {size} bytes can hold; "
            "the file is cut off or damaged"
        )
    with path.open("rb") as file:
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
    return cloud_of(_gaussians(np.ascontiguousarray(table).view(dtype)[:, 0], vertex))


def _gaussians(rows: NDArray[Any], vertex: Element) -> Gaussians:
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


def _base_colours(rows: NDArray[Any], vertex: Element) -> Float32:
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
