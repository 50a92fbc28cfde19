"""XMP in MP4 files."""

from __future__ import annotations

import struct

XMP_UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")  # XMP specification, part 3


def xmp_box(xmp: str) -> bytes:
    """The box that holds an XMP packet: append it to a finished file. Players skip it, and offsets
    to what is before it stay right."""
    data = XMP_UUID + xmp.encode()
    return struct.pack(">I4s", 8 + len(data), b"uuid") + data
