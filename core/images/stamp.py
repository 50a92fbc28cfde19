"""XMP packets for pictures that another program has written: Blender's own renders."""

from __future__ import annotations

import struct
from pathlib import Path

from ..errors import OutputError
from ..system.files import read_bounded, write_atomic
from . import png

LIMIT = 2**31  # bytes of a picture
PNG_HEADER = 33  # bytes: signature and IHDR, which comes first
JPEG_XMP = b"http://ns.adobe.com/xap/1.0/\0"  # XMP specification, part 3
JPEG_LIMIT = 65535 - 2 - len(JPEG_XMP)  # bytes of a packet in one segment


def add_xmp(path: Path, xmp: str) -> bool:
    """Write the packet into a PNG or JPEG file, whose pixels stay; the file is complete at all
    times. False for other files, and for those that hold a packet already. OutputError."""
    data = read_bounded(path, OutputError, LIMIT)
    packet = xmp.encode()
    if data.startswith(png.MAGIC) and data[12:16] == b"IHDR":
        if png.XMP in data:
            return False
        at, part = PNG_HEADER, png.xmp_chunk(xmp)
    elif data.startswith(b"\xff\xd8\xff") and len(packet) <= JPEG_LIMIT:
        if JPEG_XMP in data:
            return False
        body = JPEG_XMP + packet
        at, part = _after_jfif(data), b"\xff\xe1" + struct.pack(">H", 2 + len(body)) + body
    else:
        return False
    write_atomic(path, [data[:at], part, data[at:]])
    return True


def _after_jfif(data: bytes) -> int:
    """JFIF wants its own segment to be the first."""
    if data[2:4] != b"\xff\xe0":
        return 2
    return 4 + int(struct.unpack_from(">H", data, 4)[0])
