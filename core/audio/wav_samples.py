"""The samples of WAV files: PCM of 8 to 32 bits, float of 32 and 64, and the 8-bit codes of
telephones, mu-law and A-law (ITU-T G.711)."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

PCM, FLOAT, A_LAW, MU_LAW = 1, 3, 6, 7
WIDTHS = {PCM: (1, 2, 3, 4), FLOAT: (4, 8), A_LAW: (1,), MU_LAW: (1,)}  # bytes of a sample


def samples_of_bytes(
    raw: bytes, code: int, width: int, order: str = "<"
) -> NDArray[np.float32] | NDArray[np.float64]:
    """(n,) samples; integers divided by their full scale. order: "<" or ">", of their bytes."""
    if code == FLOAT:
        return np.frombuffer(raw, f"{order}f{width}")
    if code in (A_LAW, MU_LAW):
        return _law(code)[np.frombuffer(raw, np.uint8)]
    if width == 1:
        return (np.frombuffer(raw, np.uint8).astype(np.float32) - 128) / np.float32(128)
    if width == 3:
        wide = np.zeros((len(raw) // 3, 4), np.uint8)
        at = slice(1, 4) if order == "<" else slice(0, 3)
        wide[:, at] = np.frombuffer(raw, np.uint8).reshape(-1, 3)
        return wide.view(f"{order}i4")[:, 0].astype(np.float32) / np.float32(1 << 31)
    integers = np.frombuffer(raw, f"{order}i{width}")
    return integers.astype(np.float32) / np.float32(1 << (8 * width - 1))


@cache
def _law(code: int) -> NDArray[np.float32]:
    """(256,) the sample of each byte."""
    byte = np.arange(256) ^ (0x55 if code == A_LAW else 0xFF)
    exponent, mantissa = byte >> 4 & 7, byte & 15
    if code == A_LAW:
        size = np.where(
            exponent == 0,
            (mantissa << 4) + 8,
            ((mantissa << 4) + 0x108) << np.maximum(exponent - 1, 0),
        )
        sign = np.where(byte & 0x80, 1, -1)
    else:
        size = (((mantissa << 3) + 0x84) << exponent) - 0x84
        sign = np.where(byte & 0x80, -1, 1)
    return (sign * size / 32768).astype(np.float32)
