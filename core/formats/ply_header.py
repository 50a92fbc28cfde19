"""The header of .ply files: elements and their properties, in any of its spellings."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from ..errors import PlyError
from .splat_kinds import not_ply

BOM = b"\xef\xbb\xbf"
MAX_HEADER = 64 * 2**10  # bytes; 62 properties need 1.5 kB

TYPES = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1",
    "short": "i2", "int16": "i2", "ushort": "u2", "uint16": "u2",
    "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4",
    "float": "f4", "float32": "f4", "double": "f8", "float64": "f8",
}  # fmt: skip
ORDERS = {"binary_little_endian": "<", "binary_big_endian": ">", "ascii": ""}


@dataclass
class Element:
    """properties: (name, numpy type), None as type for a list."""

    name: str
    count: int
    properties: list[tuple[str, str | None]]

    @property
    def stride(self) -> int:
        """Bytes of one of it; of properties that are no lists."""
        return sum(np.dtype(kind).itemsize for _, kind in self.properties)


@dataclass(frozen=True)
class Header:
    order: str  # byte order, empty for ascii
    elements: list[Element]
    length: int  # bytes
    comments: tuple[str, ...]


def read_header(file: BinaryIO) -> Header:
    """PlyError, without the file's name."""
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
    elements: list[Element] = []
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
                elements.append(Element(name, int(count), []))
            case ["property", "list", _, _, name] if elements:
                elements[-1].properties.append((name, None))
            case ["property", kind, name] if elements and kind.lower() in TYPES:
                elements[-1].properties.append((name, TYPES[kind.lower()]))
            case _:
                raise PlyError(f"header line {line[:60]!r} is not understood; the file is damaged")
    if order is None:
        raise PlyError("the header names no format; the file is damaged")
    return Header(order, elements, end.end() + len(line_end[1]), tuple(comments))
