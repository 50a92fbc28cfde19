"""The two ADPCM codes of WAV files, IMA's (DVI, 0x11) and Microsoft's (2): four bits a sample in
blocks, of which each can be decoded alone. Integers alone, so every machine gives the same samples.

From the "Multimedia Data Standards Update" of 1994 and IMA's "Recommended Practices" of 1992."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MICROSOFT, IMA = 2, 0x11
HEADS = {MICROSOFT: 7, IMA: 4}  # bytes of a channel at the beginning of a block
AT_ONCE = {MICROSOFT: 1, IMA: 4}  # bytes of a channel before those of the next one follow

_STEPS = np.array([
    7, 8, 9, 10, 11, 12, 13, 14, 16, 17, 19, 21, 23, 25, 28, 31, 34, 37, 41, 45, 50, 55, 60, 66, 73,
    80, 88, 97, 107, 118, 130, 143, 157, 173, 190, 209, 230, 253, 279, 307, 337, 371, 408, 449, 494,
    544, 598, 658, 724, 796, 876, 963, 1060, 1166, 1282, 1411, 1552, 1707, 1878, 2066, 2272, 2499,
    2749, 3024, 3327, 3660, 4026, 4428, 4871, 5358, 5894, 6484, 7132, 7845, 8630, 9493, 10442,
    11487, 12635, 13899, 15289, 16818, 18500, 20350, 22385, 24623, 27086, 29794, 32767,
])  # fmt: skip
_NIBBLES = np.arange(16)
_MOVES = np.tile([-1, -1, -1, -1, 2, 4, 6, 8], 2)
# (steps, 16), flat: what each nibble adds at each step, and the place of its next row.
_DIFFERENCES = sum(
    (_STEPS[:, None] >> shift) * (_NIBBLES >> bit & 1) for bit, shift in ((2, 0), (1, 1), (0, 2))
) + (_STEPS[:, None] >> 3)
_ADDED = np.where(_NIBBLES & 8, -_DIFFERENCES, _DIFFERENCES).astype(np.int32).ravel()
_NEXT = (np.arange(len(_STEPS))[:, None] + _MOVES).clip(0, len(_STEPS) - 1)
_NEXT = (16 * _NEXT).astype(np.int32).ravel()

_COEFFICIENTS = np.array(
    [(256, 0), (512, -256), (0, 0), (192, 64), (240, 0), (460, -208), (392, -232)], np.int64
)
_ADAPTED = np.array([230, 230, 230, 230, 307, 409, 512, 614, 768, 614, 512, 409, 307] + 3 * [230])
_SIGNED = np.where(_NIBBLES & 8, _NIBBLES - 16, _NIBBLES)
LEAST_STEP, MOST_STEP = 16, 1 << 24  # the latter keeps damaged files within 64 bits


@dataclass(frozen=True)
class Blocks:
    """code: MICROSOFT or IMA. size: bytes of a block. channels: in it."""

    code: int
    size: int
    channels: int

    def samples(self, size: int) -> int:
        """Of one channel in a block of `size` bytes, which may be cut off; 0 without its head."""
        rest = size - HEADS[self.code] * self.channels
        if rest < 0:
            return 0
        group = AT_ONCE[self.code] * self.channels
        pairs = rest // group * AT_ONCE[self.code]
        return (1 if self.code == IMA else 2) + 2 * pairs

    def decode(self, raw: bytes) -> NDArray[np.float32]:
        """(blocks * samples(size), channels) samples of whole blocks."""
        blocks = np.frombuffer(raw, np.uint8).reshape(-1, self.size)
        decoded = (_ima if self.code == IMA else _microsoft)(self, blocks)
        # (samples of a block, blocks, channels)
        return decoded.swapaxes(0, 1).reshape(-1, self.channels).astype(np.float32) / np.float32(
            32768
        )


def _ima(layout: Blocks, blocks: NDArray[np.uint8]) -> NDArray[np.int16]:
    heads = np.ascontiguousarray(blocks[:, : 4 * layout.channels]).reshape(len(blocks), -1, 4)
    sample = heads[..., :2].copy().view("<i2")[..., 0].astype(np.int32)
    row = 16 * np.minimum(heads[..., 2], len(_STEPS) - 1).astype(np.int32)
    nibbles = _low_first(layout, blocks)
    out = np.empty((1 + len(nibbles), *sample.shape), np.int16)
    out[0] = sample
    for number, nibble in enumerate(nibbles, 1):
        place = row + nibble
        sample = np.minimum(np.maximum(sample + _ADDED[place], -32768), 32767)
        row = _NEXT[place]
        out[number] = sample
    return out


def _microsoft(layout: Blocks, blocks: NDArray[np.uint8]) -> NDArray[np.int16]:
    count = layout.channels
    kinds = np.minimum(blocks[:, :count], len(_COEFFICIENTS) - 1)
    first, second = _COEFFICIENTS[kinds, 0], _COEFFICIENTS[kinds, 1]
    words = np.ascontiguousarray(blocks[:, count : 7 * count]).view("<i2").astype(np.int64)
    step, newer, older = np.split(words, 3, axis=1)
    nibbles = _high_first(layout, blocks)
    out = np.empty((2 + len(nibbles), *newer.shape), np.int16)
    out[0], out[1] = older, newer
    for number, nibble in enumerate(nibbles, 2):
        sample: NDArray[Any] = (newer * first + older * second >> 8) + _SIGNED[nibble] * step
        sample = np.minimum(np.maximum(sample, -32768), 32767)
        step = np.minimum(np.maximum(_ADAPTED[nibble] * step >> 8, LEAST_STEP), MOST_STEP)
        newer, older = sample, newer
        out[number] = sample
    return out


def _low_first(layout: Blocks, blocks: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(samples without those of the head, blocks, channels) of IMA: four bytes a channel, and of
    each byte the lower half first."""
    data = blocks[:, 4 * layout.channels :]
    groups = data.shape[1] // (4 * layout.channels)
    data = data[:, : groups * 4 * layout.channels]
    data = data.reshape(len(blocks), groups, layout.channels, 4)
    pairs = np.stack([data & 15, data >> 4], axis=-1)  # (blocks, groups, channels, bytes, 2)
    flat = pairs.transpose(1, 3, 4, 0, 2)
    return np.ascontiguousarray(flat.reshape(-1, len(blocks), layout.channels))


def _high_first(layout: Blocks, blocks: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The same of Microsoft's: half a byte a channel, and of each byte the upper half first."""
    data = blocks[:, 7 * layout.channels :]
    halves = np.stack([data >> 4, data & 15], axis=-1).reshape(len(blocks), -1)
    each = 2 * (data.shape[1] // layout.channels)
    flat = halves[:, : each * layout.channels].reshape(len(blocks), each, layout.channels)
    return np.ascontiguousarray(flat.swapaxes(0, 1))
