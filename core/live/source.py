"""Recording: the interface between a session and a sound library, and the ring buffer between their
threads.

A source's own thread writes the ring, the worker's thread reads it. The writer copies a block and
stores one tuple; it never waits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]

RING_SECONDS = 4.0


@dataclass(frozen=True)
class Device:
    """An input device. host: the sound system that offers it. channels: their number. rate: its
    own, in Hz. default: True for the one that the system prefers."""

    name: str
    host: str
    channels: int
    rate: int
    default: bool = False

    @property
    def label(self) -> str:
        """Identifies the device, also after the system restarts."""
        return f"{self.name}, {self.host}"


class Ring:
    """The last RING_SECONDS of (n, channels) float32 samples at `rate` Hz. overruns: how often
    sound was lost, by the device or because nobody read for half of that time."""

    def __init__(self, rate: int, channels: int) -> None:
        self.rate = rate
        self.overruns = 0
        self._data = np.zeros((round(rate * RING_SECONDS), channels), np.float32)
        self._newest = (0, 0.0)  # samples written in all, when the last of them entered
        self._read = 0

    def write(self, block: Float32, entered: float) -> None:
        """(n, channels), n below the ring's size. entered: time.monotonic() at which the last of
        the samples entered the device."""
        written, size = self._newest[0], len(self._data)
        start = written % size
        head = min(len(block), size - start)
        self._data[start : start + head] = block[:head]
        self._data[: len(block) - head] = block[head:]
        self._newest = (written + len(block), entered)

    def read(self) -> tuple[Float32, float]:
        """The samples since the last call, and the time at which the last of them entered."""
        (written, entered), size = self._newest, len(self._data)
        if written - self._read > size // 2:
            self.overruns += 1
            self._read = written - size // 4
        out = self._data[np.arange(self._read, written) % size]
        self._read = written
        return out, entered


class Source(Protocol):
    """An open input device that records into `ring`."""

    device: Device
    ring: Ring

    def fault(self) -> str:
        """The reason why the recording ended, empty while it goes on."""
        ...

    def close(self) -> None: ...
