"""Features of a live sound, and their newest windows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..audio.extractor import extractor_of
from ..audio.mouth import mouth_track
from ..audio.waveform import mono
from ..audio.windows import FLAT, normalise
from ..records.arrays import Float32
from ..records.audio_track import AROUND, AudioTrack
from ..records.feature_spec import FeatureSpec
from ..records.timeline import ROW_RATE
from ..records.voice import RATE
from .resampler import StreamResampler

BEFORE = AROUND // 2  # windows before the row that the network computes
HERE = BEFORE / ROW_RATE  # seconds of that row in the track that SoundStream.newest returns
SETTLING = 2.0  # seconds of sound from which "clip" takes its first mean and deviation


class SoundStream:
    """Blocks of sound in, the network's newest eight windows out. Complete steps equal those of
    core/audio/features.py (phonetic ones nearly, see PhoneticStream). With full look-ahead the
    windows do too, once they no longer reach back before the first sample.

    lookahead: steps of 20 ms to wait for after the moment that is shown, 0 to `full`. Beyond them
    the network receives copies of the last step.

    "clip" normalisation, which needs mean and deviation of a whole clip, uses those of all sound
    since the start, and gives silence for the first SETTLING seconds. Raises FeatureMismatchError
    if the avatar's features cannot be computed from a sound."""

    def __init__(self, spec: FeatureSpec, rate: int, lookahead: int) -> None:
        extractor = extractor_of(spec)
        self._spec = spec
        self._span = (AROUND - 1) * spec.stride + spec.window
        self.lookahead = min(max(lookahead, 0), full_lookahead(spec))
        self._resampler = StreamResampler(rate, RATE)
        self._stream = extractor.stream(self._span)
        self._silence = extractor.silence()
        self._sum = np.zeros(spec.dim)
        self._squares = np.zeros(spec.dim)

    def push(self, samples: Float32) -> None:
        """(n,) or (n, channels) float32 at the device's rate, finite (AudioError)."""
        new = self._stream.push(self._resampler.push(mono(samples, "the input device")))
        self._sum += new.sum(0, dtype=np.float64)
        self._squares += (new.astype(np.float64) ** 2).sum(0)

    @property
    def count(self) -> int:
        """Complete steps so far."""
        return self._stream.count

    @property
    def seconds(self) -> float:
        """The moment in the sound that `newest` shows; negative while it waits for look-ahead."""
        return (self.count - 1 - self.lookahead) / self._spec.rate

    @property
    def settling(self) -> bool:
        """True while mean and deviation are unknown."""
        return self._spec.normalisation == "clip" and self.count < SETTLING * self._spec.rate

    def newest(self) -> AudioTrack:
        """Eight windows around the moment `seconds`; in this track it is at HERE seconds."""
        spec = self._spec
        first = self.count - 1 - self.lookahead - BEFORE * spec.stride - spec.pad
        wanted = np.arange(first, first + self._span)
        known = self._normal(self._stream.steps)
        steps = np.empty((self._span, spec.dim), np.float32)
        steps[:] = self._outside()
        if len(known) and not self.settling:
            oldest = self.count - len(known)
            inside = wanted >= oldest
            steps[inside] = known[np.minimum(wanted[inside], self.count - 1) - oldest]
        views = np.lib.stride_tricks.sliding_window_view(steps, spec.window, axis=0)
        windows = np.ascontiguousarray(views[:: spec.stride].transpose(0, 2, 1))
        return mouth_track(AudioTrack(windows), spec)

    def _outside(self) -> Float32:
        """(D,) the step before the sound, also used until another one is known."""
        if self._spec.outside == "silence" and self.count and not self.settling:
            return self._normal(self._silence[None])[0]
        return np.zeros(self._spec.dim, np.float32)

    def _normal(self, steps: Float32) -> Float32:
        spec = self._spec
        if spec.normalisation != "clip" or not self.count:
            return normalise(steps, spec)
        mean = self._sum / self.count
        std = np.sqrt(np.maximum(self._squares / self.count - mean**2, 0))
        std = np.where(std < FLAT, np.inf, std)
        return normalise(
            steps, replace(spec, normalisation="fixed", mean=tuple(mean), std=tuple(std))
        )


def full_lookahead(spec: FeatureSpec) -> int:
    """Steps after a row that its eight windows reach (13 in the official layout)."""
    return max(0, (AROUND - BEFORE - 1) * spec.stride + spec.window - spec.pad - 1)
