"""Features of a live sound, step by step as it arrives."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from ..records.arrays import Float32
from . import phonetic
from .logmel import LogMel, log_mel
from .phonetic_network import N_FFT, STEP, bands, hidden_layers
from .phonetic_weights import load_weights

SPAN = 150  # steps (3 s) that the phonetic network works on at once
REVISED = 16  # newest steps that are recomputed as the sound after them arrives


class Stream(Protocol):
    """`steps` (n, D) float32: the newest ones. `count`: steps computed in all."""

    @property
    def count(self) -> int: ...

    @property
    def steps(self) -> Float32: ...

    def push(self, samples: Float32) -> Float32:
        """(n, D): the steps that these (m,) samples complete."""
        ...


class LogMelStream:
    """Log-mel steps of samples at mel.sample_rate, as they become complete. `steps` (n, n_mels)
    float32: the newest ones, `keep` at most; `count`: steps computed in all. The window is narrower
    than the transform: a step is complete half a window after its centre (12.5 ms for 400
    samples)."""

    def __init__(self, mel: LogMel, keep: int) -> None:
        self.count = 0
        self.steps = np.empty((0, mel.n_mels), np.float32)
        self._mel, self._keep = mel, keep
        self._after = max(0, (mel.n_fft - mel.win_length) // 2 + mel.win_length - mel.n_fft // 2)
        self._before = -(-mel.n_fft // (2 * mel.hop_length))  # steps whose samples are needed again
        self._samples = np.empty(0, np.float32)
        self._first = 0  # the step that is centred on the first of _samples

    def push(self, samples: Float32) -> Float32:
        """(n, n_mels): the steps that these (m,) samples complete."""
        hop = self._mel.hop_length
        self._samples = np.concatenate([self._samples, samples])
        received = self._first * hop + len(self._samples)
        ready = max(self.count, (received - self._after) // hop + 1)
        if ready == self.count:
            return self.steps[:0]
        new = log_mel(self._samples, self._mel)[self.count - self._first : ready - self._first]
        self.steps = np.concatenate([self.steps, new])[-self._keep :]
        self.count = ready
        first = max(0, ready - self._before)
        self._samples = self._samples[(first - self._first) * hop :]
        self._first = first
        return new


class PhoneticStream:
    """Phonetic steps at 16 kHz, each computed half a window (12.5 ms) after its centre from the
    last SPAN steps of sound, and refined while the next REVISED - 1 arrive. Root mean square
    difference from the steps of the whole sound, relative to their standard deviation: 62 % with no
    step after it, 37 % with 2, 27 % with 4, 21 % with 8, 18 % with 13."""

    def __init__(self, keep: int, own: Float32 | None = None) -> None:
        """own: weights of an avatar's own values (`phonetic.own_readout`)."""
        self.count = 0
        width = phonetic.DIM + (0 if own is None else own.shape[1])
        self.steps = np.empty((0, width), np.float32)
        self._keep, self._own = keep, own
        self._samples = np.empty(0, np.float32)
        self._first = 0  # the step that is centred on the first of _samples

    def push(self, samples: Float32) -> Float32:
        """(n, 22 + K): the steps that these (m,) samples complete."""
        self._samples = np.concatenate([self._samples, samples])
        received = self._first * STEP + len(self._samples)
        ready = max(self.count, (received - N_FFT // 2) // STEP + 1)
        if ready == self.count:
            return self.steps[:0]
        # A block of more than SPAN steps is processed whole.
        first = max(self._first, min(ready - SPAN, self.count))
        weights = load_weights()
        latest = self._samples[(first - self._first) * STEP :]
        used = latest[: (ready - 1 - first) * STEP + N_FFT // 2 + 1]
        layers = hidden_layers(bands(used, weights), weights)
        made = phonetic.read(layers, weights, self._own)
        revised = max(first, self.count - REVISED, self.count - len(self.steps))
        older = self.steps[: len(self.steps) - (self.count - revised)]
        self.steps = np.concatenate([older, made[revised - first :]])[-self._keep :]
        new = made[self.count - first :]
        self.count = ready
        keep = max(self._first, ready - SPAN)
        self._samples = self._samples[(keep - self._first) * STEP :]
        self._first = keep
        return new


class JoinedStream:
    """Log-mel and phonetic values concatenated, for the steps that both have computed."""

    def __init__(self, left: Stream, right: Stream) -> None:
        self._both = (left, right)

    @property
    def count(self) -> int:
        return min(half.count for half in self._both)

    @property
    def steps(self) -> Float32:
        made = [half.steps[: len(half.steps) - (half.count - self.count)] for half in self._both]
        length = min(map(len, made))
        return np.concatenate([half[len(half) - length :] for half in made], 1)

    def push(self, samples: Float32) -> Float32:
        before = self.count
        for half in self._both:
            half.push(samples)
        steps = self.steps
        return steps[max(0, len(steps) - (self.count - before)) :]
