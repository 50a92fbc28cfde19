"""Fake devices for tests of live sound: they deliver a WAV file or samples like a sound card."""

from __future__ import annotations

import sys
import threading
import time

import numpy as np

from core.live.source import Device, Float32, Ring
from tests.support.waiting import LIMIT

BLOCK = 0.01  # seconds


class FedSource:
    """Writes the samples of `play` into its ring in a thread, in real time, then silence; stops
    after `life` seconds. The time that it claims for each block is true."""

    def __init__(self, samples: Float32, rate: int, life: float = 60.0) -> None:
        self.device = Device("Fed", "Tests", 1, rate, default=True)
        self.ring = Ring(rate, 1)
        self._samples, self._life = samples, life
        self._ended = threading.Event()
        self._fault = ""
        self.began = time.monotonic()
        self._thread = threading.Thread(target=self._feed, daemon=True)
        self._thread.start()

    def fault(self) -> str:
        return self._fault

    def close(self) -> None:
        self._ended.set()
        self._thread.join(LIMIT)

    def _feed(self) -> None:
        size = round(BLOCK * self.ring.rate)
        for count in range(round(self._life / BLOCK)):
            due = self.began + (count + 1) * BLOCK
            if self._ended.wait(max(0.0, due - time.monotonic())):
                return
            block = np.zeros((size, 1), np.float32)
            piece = self._samples[count * size : (count + 1) * size]
            block[: len(piece), 0] = piece
            self.ring.write(block, due)
        self._fault = "it was pulled out"


def vowel(rate: int, begins: float = 0.5, seconds: float = 3.0) -> Float32:
    """(n,) silence, then a buzz of 150 Hz: a vowel to the ear of 29 bands."""
    sample = np.arange(round(seconds * rate))
    return np.float32((sample >= begins * rate) * (sample % (rate // 150) < rate // 1200) * 0.8)


def script(path: object, body: str) -> str:
    """A worker's interpreter in whose `devices` the line `body` replaces what it will; fed(samples,
    rate, life) makes a device of samples."""
    return f"""#!{sys.executable}
import sys
sys.path.insert(0, {str(path)!r})
import numpy as np
import core.live.devices as devices
import core.live.source as source
import core.live.session as session
from tests.support.live_sources import FedSource as fed, vowel
from core.worker.__main__ import main

source.RING_SECONDS = session.STALL = 60.0  # a busy machine loses no sound
{body}
main()
"""
