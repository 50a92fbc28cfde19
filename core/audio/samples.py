"""The samples of a sound at 16 kHz, all in memory or read where they are needed."""

from __future__ import annotations

import numpy as np

from ..records.arrays import Float32
from ..records.voice import RATE, Samples, SoundMix, SoundPart, Voice, Waveform
from ..system.lru import LRU
from .files import mix_length, range_of, reader_of, sample_at
from .resample import Reader, resampled_block, resampled_grid, resampled_length

KEPT = 4  # blocks of a resampled sound
LONG = 30 * 60 * RATE  # samples; what is shorter is held in memory if all of it is wanted


class ReadSamples:
    """Bit for bit what `decoded` gives of the same sound. read: the source's samples, `length` of
    them at `rate` Hz. first, last: the part of the result to take; silence: samples of it before
    that."""

    def __init__(self, read: Reader, length: int, rate: int) -> None:
        self._read, self._length, self._rate = read, length, rate
        self._blocks: LRU[int, Float32] = LRU(KEPT)
        self.silence, self.first = 0, 0
        self.last = resampled_length(length, rate, RATE)

    def cut(self, part: SoundPart, may_be_empty: bool = False) -> ReadSamples:
        """Take that part alone. AudioError if it is empty, unless it may be."""
        self.silence, self.first, self.last = range_of(part, self.last, may_be_empty)
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


class MixedSamples:
    """Bit for bit what `decoded` gives of the same mix. parts: first sample and samples of each
    sound; length: of the mix."""

    def __init__(self, parts: list[tuple[int, Samples]], length: int) -> None:
        self._parts, self._length = parts, length

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, at: slice) -> Float32:
        start, stop, _ = at.indices(self._length)
        out = np.zeros(max(stop - start, 0), np.float32)
        for first, samples in self._parts:
            lo, hi = max(start, first), min(stop, first + len(samples))
            if lo < hi:
                out[lo - start : hi - start] += samples[lo - first : hi - first]
        return out


def samples_of(voice: Voice, whole: bool = False) -> tuple[Samples, tuple[str, ...]]:
    """The samples of a voice and notes on what was mended; those of a file are read, or decoded,
    when they are sliced. whole: all of them will be, so that a short sound is better in memory.
    Errors as `decoded`."""
    made, notes = _lazy(voice)
    if whole and len(made) <= LONG:
        made = made[:]
    return made, notes


def _lazy(voice: Voice) -> tuple[Samples, tuple[str, ...]]:
    if isinstance(voice, Waveform):
        return voice.samples, voice.notes
    if isinstance(voice, SoundMix):
        sounds = [(sample_at(placed.at), *_part_samples(placed.sound)) for placed in voice.sounds]
        parts = [(first, samples) for first, samples, _ in sounds]
        notes = tuple(dict.fromkeys(note for _, _, each in sounds for note in each))
        return MixedSamples(parts, mix_length(voice, parts)), notes
    found = reader_of(voice.path if isinstance(voice, SoundPart) else voice)
    samples = ReadSamples(found.read, found.length, found.rate)
    if isinstance(voice, SoundPart):
        samples.cut(voice)
    return samples, found.notes


def _part_samples(sound: SoundPart | Waveform) -> tuple[Samples, tuple[str, ...]]:
    """Those of one sound of a mix, which may be nothing."""
    if isinstance(sound, Waveform):
        return sound.samples, sound.notes
    found = reader_of(sound.path)
    read = ReadSamples(found.read, found.length, found.rate)
    return read.cut(sound, may_be_empty=True), found.notes
