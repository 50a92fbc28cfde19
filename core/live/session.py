"""One voice drives one avatar: from the device's recording to the newest windows."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..errors import EngineError
from ..records.audio_track import AudioTrack
from ..records.feature_spec import FeatureSpec
from .source import Source
from .stream import SoundStream

LOOKAHEAD = 4
"""Steps of 20 ms. Fewer give less delay and more error. Root mean square error of the audio code on
the demo speech, relative to the code's standard deviation: 70 % with 0, 36 % with 2, 20 % with 4,
14 % with 6, 9 % with 8, 0 with 13."""
STALL = 2.0  # seconds without a sample after which a device counts as lost


@dataclass(frozen=True)
class Report:
    """peak, rms: of the samples since the last report, 1 is full scale. seconds: the moment of the
    sound that is shown. latency_ms: the time since that moment entered the device. waiting_ms,
    compute_ms: parts of it: from the newest sample to this request, and from there to the splats;
    the rest is look-ahead and half a window. overruns: how often sound was lost. settling: True
    while the mouth rests, until the avatar's normalisation has measured the voice."""

    peak: float
    rms: float
    seconds: float
    latency_ms: float
    waiting_ms: float
    compute_ms: float
    overruns: int
    settling: bool


class LiveSession:
    def __init__(
        self,
        source: Source,
        spec: FeatureSpec,
        lookahead: int = LOOKAHEAD,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Owns the source and closes it, also before it raises FeatureMismatchError."""
        self._source, self._clock = source, clock
        try:
            self._stream = SoundStream(spec, source.ring.rate, lookahead)
        except BaseException:
            source.close()
            raise
        self._received = 0  # samples
        self._last = self._begun = clock()
        self._entered = self._begun
        self._level = (0.0, 0.0)

    def listen(self) -> AudioTrack:
        """Process the recorded sound and return the windows of the newest moment (see
        SoundStream.newest). EngineError if the device is lost."""
        block, entered = self._source.ring.read()
        self._begun = self._clock()
        if len(block):
            self._last, self._entered = self._begun, entered
            self._received += len(block)
            self._stream.push(block)
        fault = self._source.fault()
        if not fault and self._begun - self._last > STALL:
            fault = f"no sound came for {self._begun - self._last:.0f} s"
        if fault:
            raise EngineError(
                f"input device {self._source.device.label!r} was lost: {fault}; connect it and "
                "start again, or choose another"
            )
        peak = float(np.abs(block).max(initial=0.0))
        rms = float(np.sqrt(np.mean(np.square(block, dtype=np.float64)))) if len(block) else 0.0
        self._level = (peak, rms)
        return self._stream.newest()

    def report(self) -> Report:
        """The report on the last `listen`; call it when its splats are ready."""
        now = self._clock()
        behind = self._received / self._source.ring.rate - self._stream.seconds
        return Report(
            peak=self._level[0],
            rms=self._level[1],
            seconds=self._stream.seconds,
            latency_ms=1000 * (now - self._entered + behind),
            waiting_ms=1000 * (self._begun - self._entered),
            compute_ms=1000 * (now - self._begun),
            overruns=self._source.ring.overruns,
            settling=self._stream.settling,
        )

    def close(self) -> None:
        self._source.close()
