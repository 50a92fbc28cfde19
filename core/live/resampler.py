"""The resampler of core/audio/resample.py for a live sound."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..audio.resample import low_pass

CHUNK = 4096  # outputs worked on at a time


class StreamResampler:
    """Blocks of any size at `rate_in` (whole numbers, Hz) become samples at `rate_out`: the same
    numbers as `resample` gives for the whole sound, up to the order of a float64 sum. A sample is
    returned as soon as all samples that its filter reaches have arrived: ten crossings of the
    slower rate, 0.6 ms at 48 kHz to 16 kHz."""

    def __init__(self, rate_in: int, rate_out: int) -> None:
        divisor = math.gcd(rate_in, rate_out)
        self._up, self._down = rate_out // divisor, rate_in // divisor
        self._equal = self._up == self._down
        self._taps = np.ones(1) if self._equal else low_pass(self._up, self._down)
        self._half = len(self._taps) // 2
        self._width = 2 * self._half // self._up + 1  # source samples that a result reaches
        self._kept = np.zeros(self._width)  # zeros precede the sound
        self._received = 0  # source samples so far; the last of _kept is the last of them
        self._made = 0

    def push(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """(m,) float32: the results that the next (n,) samples complete."""
        if self._equal:
            return samples
        self._kept = np.concatenate([self._kept, samples])
        self._received += len(samples)
        ready = max(self._made, -((self._half - self._received * self._up) // self._down))
        parts = [
            self._results(first, min(first + CHUNK, ready))
            for first in range(self._made, ready, CHUNK)
        ]
        self._made = ready
        unneeded = self._newest(ready) - self._width + 1 - (self._received - len(self._kept))
        self._kept = self._kept[max(0, unneeded) :]
        return np.concatenate(parts) if parts else np.empty(0, np.float32)

    def _newest(self, result: int) -> int:
        """The last source sample that a result reaches."""
        return (result * self._down + self._half) // self._up

    def _results(self, first: int, last: int) -> NDArray[np.float32]:
        result = np.arange(first, last)[:, None]
        source = (result * self._down + self._half) // self._up - np.arange(self._width)
        tap = result * self._down + self._half - source * self._up
        inside = tap < len(self._taps)
        values = self._kept[source - (self._received - len(self._kept))]
        weights = np.where(inside, self._taps[np.where(inside, tap, 0)], 0.0)
        return np.einsum("ij,ij->i", values, weights).astype(np.float32)
