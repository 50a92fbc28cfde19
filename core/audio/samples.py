"""The samples of a sound at 16 kHz, all in memory or read where they are needed."""

from __future__ import annotations

import numpy as np

from ..records.arrays import Float32
from ..records.voice import RATE, Samples, SoundPart, Voice, Waveform
from ..system.lru import LRU
from .files import decoded, range_of
from .resample import Reader, resampled_block, resampled_grid, resampled_length
from .wav import wav_reader

KEPT = 4  # blocks of a resampled sound


class ReadSamples:
    """Bit for bit what `decoded` gives of the same sound. read: the source's samples, `length` of
    them at `rate` Hz. first, last: the part of the result to take; silence: samples of it before
    that."""

    def __init__(self, read: Reader, length: int, rate: int) -> None:
        self._read, self._length, self._rate = read, length, rate
        self._blocks: LRU[int, Float32] = LRU(KEPT)
        self.silence, self.first = 0, 0
        self.last = resampled_length(length, rate, RATE)

    def cut(self, part: SoundPart) -> ReadSamples:
        """Take that part alone. AudioError if it is empty."""
        self.silence, self.first, self.last = range_of(part, self.last)
        return self

    def __len__(self) -> int:
        return self.silence + self.last - self.first

    def __getitem__(self, at: slice) -> Float32:
        start, stop, _ = at.indices(len(self))
        out = np.zeros(max(stop - start, 0), np.float32)
        # From places in the part to places in the file.
        offset = self.first - self.silence
        lo, stop = max(start + offset, self.first), stop + offset
        grid = resampled_grid(self._rate, RATE)
        while lo < stop:
            number = lo // grid
            block = self._block(number, grid)
            hi = min(stop, (number + 1) * grid)
            out[lo - offset - start : hi - offset - start] = block[
                lo - number * grid : hi - number * grid
            ]
            lo = hi
        return out

    def _block(self, number: int, grid: int) -> Float32:
        block = self._blocks.get(number)
        if block is None:
            made = resampled_block(self._read, self._length, self._rate, RATE, number * grid)
            block = self._blocks.put(number, made)
        return block


def samples_of(voice: Voice) -> Samples:
    """The samples of a voice; those of a plain WAV file are read when they are sliced. Errors as
    `decoded`."""
    if not isinstance(voice, Waveform):
        found = wav_reader(voice.path if isinstance(voice, SoundPart) else voice)
        if found is not None:
            samples = ReadSamples(*found)
            return samples.cut(voice) if isinstance(voice, SoundPart) else samples
    return decoded(voice).samples
