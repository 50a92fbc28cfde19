"""A sound whose decoder gives it from its beginning on, read at any place: what is short is kept in
memory, the rest is decoded again where a reader goes back."""

from __future__ import annotations

from collections.abc import Callable, Generator
from threading import Lock

import numpy as np

from ..records.arrays import Float32

KEPT = 1 << 24  # samples of all channels, 64 MB: three minutes of 44.1 kHz in stereo

Begin = Callable[[], Generator[Float32, None, None]]
"""Starts to decode: (n, channels) pieces, one after the other."""


class Sequential:
    """length: samples of one channel; more than `most` are not counted. Memory is bounded by KEPT
    and the largest piece. Errors are those of `begin`. One thread reads at a time."""

    def __init__(self, begin: Begin, most: int) -> None:
        self._begin, self._lock = begin, Lock()
        self._pieces: Generator[Float32, None, None] | None = None
        self._piece, self._first = np.empty((0, 1), np.float32), 0  # the newest, and its place
        self._whole: Float32 | None = None
        self.length = 0
        kept: list[Float32] | None = []
        for piece in begin():
            self.length += len(piece)
            if self.length > most:
                break
            if kept is not None:
                kept.append(piece)
                if self.length * piece.shape[1] > KEPT:
                    kept = None
        if kept:
            self._whole = np.concatenate(kept)

    def read(self, start: int, stop: int) -> Float32:
        """(stop - start, channels)"""
        if self._whole is not None:
            return self._whole[start:stop]
        with self._lock:
            return self._decoded(start, stop)

    def _decoded(self, start: int, stop: int) -> Float32:
        if self._pieces is None or start < self._first:
            self._pieces, self._first = self._begin(), 0
            self._piece = np.empty((0, 1), np.float32)
        parts = []
        while True:
            end = self._first + len(self._piece)
            if start < end and stop > self._first:
                parts.append(self._piece[max(start - self._first, 0) : stop - self._first])
            if stop <= end:
                break
            piece = next(self._pieces, None)
            if piece is None:  # the file became shorter
                break
            self._first, self._piece = end, piece
        return np.concatenate(parts) if parts else self._piece[:0]
