"""WAV files written byte by byte, so that each field can be wrong."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")


def chunk(kind: bytes, data: bytes, size: int | None = None) -> bytes:
    size = len(data) if size is None else size
    return kind + struct.pack("<I", size) + data + b"\0" * (len(data) % 2)


def form(code: int, channels: int, rate: int, bits: int, *, extensible: bool = False) -> bytes:
    align = channels * ((bits + 7) // 8)
    head = struct.pack(
        "<HHIIHH", 0xFFFE if extensible else code, channels, rate, rate * align, align, bits
    )
    if not extensible:
        return head
    return head + struct.pack("<HHIH", 22, bits, 0, code) + GUID_TAIL


def wav(
    data: bytes,
    code: int = 1,
    channels: int = 1,
    rate: int = 16000,
    bits: int = 16,
    *,
    extensible: bool = False,
    size: int | None = None,
    riff_size: int | None = None,
    before: bytes = b"",
    after: bytes = b"",
) -> bytes:
    """size, riff_size: what the headers say, where that is not the truth."""
    body = chunk(b"fmt ", form(code, channels, rate, bits, extensible=extensible))
    body = b"WAVE" + body + before + chunk(b"data", data, size) + after
    return b"RIFF" + struct.pack("<I", len(body) if riff_size is None else riff_size) + body


def encoded(samples: NDArray[Any], code: int, bits: int) -> bytes:
    """Samples in [-1, 1) as the bytes of a data chunk."""
    if code == 3:
        return samples.astype(f"<f{bits // 8}").tobytes()
    integers = np.round(samples * (1 << (bits - 1))).astype(np.int64)
    if bits == 8:
        return (integers + 128).astype(np.uint8).tobytes()
    if bits == 24:
        return (integers << 8).astype("<i4").reshape(-1, 1).view(np.uint8)[:, 1:].tobytes()
    return integers.astype(f"<i{bits // 8}").tobytes()
