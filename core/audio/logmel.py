"""Log-mel bands, equal to librosa's (htk=False, norm="slaney", centred, power), with numpy
alone."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from ..errors import FeatureMismatchError
from ..records.arrays import Float32, Float64
from ..records.voice import Samples
from ..system.steps import finished

KIND = "log-mel"
VERSION = 1
WHOLE = ("sample_rate", "n_fft", "win_length", "hop_length", "n_mels")
CHUNK = 1 << 21  # samples transformed at a time, approximately

# Slaney's mel scale: linear to 1 kHz, then 27 mels for each factor of 6.4.
HZ_PER_MEL = 200 / 3
BREAK_HZ, BREAK_MEL = 1000.0, 15.0
LOG_STEP = math.log(6.4) / 27


@dataclass(frozen=True)
class LogMel:
    """sample_rate (Hz). n_fft: samples of a transform, an even number, with a periodic Hann window
    of win_length samples at its centre. hop_length: samples from one step to the next. n_mels
    triangular bands of equal area between fmin and fmax (Hz). A value is
    log(log_epsilon + power)."""

    sample_rate: int = 16000
    n_fft: int = 512
    win_length: int = 400
    hop_length: int = 320
    n_mels: int = 29
    fmin: float = 60.0
    fmax: float = 7600.0
    log_epsilon: float = 1e-5

    @property
    def rate(self) -> float:
        """Steps a second."""
        return self.sample_rate / self.hop_length


def parameters_from(values: Mapping[str, Any]) -> LogMel:
    """The parameters in an avatar's header. FeatureMismatchError if one is missing, unknown or
    impossible: a default in its place would give other features."""
    names = [field.name for field in fields(LogMel)]
    for name in (*names, *values):
        if (name in names) != (name in values):
            what = "lack" if name in names else "have the unknown"
            raise FeatureMismatchError(
                f"the avatar's log-mel parameters {what} {name!r}; convert or train it again"
            )
        value = values[name]
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e9:
            raise FeatureMismatchError(
                f"the avatar's log-mel parameter {name} is not a sensible number; convert or train "
                "it again"
            )
    # A JSON writer may have turned 512 into 512.0.
    whole = {name: int(values[name]) for name in WHOLE}
    mel = LogMel(**{**{name: values[name] for name in names}, **whole})
    if not (
        all(values[name] == whole[name] for name in WHOLE)
        and 1000 <= mel.sample_rate <= 384000
        and 1 <= mel.win_length <= mel.n_fft <= 16384
        and mel.n_fft % 2 == 0  # the centre of an odd transform lies between two samples
        and 1 <= mel.hop_length <= mel.sample_rate
        and 1 <= mel.n_mels <= 1024
        and 0 <= mel.fmin <= mel.fmax - 1 <= mel.sample_rate / 2 - 1
        and mel.log_epsilon > 0
    ):
        raise FeatureMismatchError(
            f"the avatar's log-mel parameters are impossible ({mel}); convert or train it again"
        )
    return mel


def step_count(samples: int, hop_length: int) -> int:
    """Steps of a sound of `samples` samples; step k is centred on sample k * hop_length."""
    return 1 + samples // hop_length


def log_mel(samples: Samples, mel: LogMel) -> Float32:
    """(steps, n_mels) float32 of (T,) samples at mel.sample_rate; the sound is padded with zeros.
    Works in float64, piece by piece."""
    return finished(pieces(samples, mel))


def pieces(
    samples: Samples, mel: LogMel, part: range | None = None
) -> Generator[float, None, Float32]:
    """`log_mel` piece by piece: yields the share that is done after each, returns the steps. part:
    the only ones that are wanted, with the same bits."""
    steps = step_count(len(samples), mel.hop_length)
    window = _window(mel)
    bands = mel_filters(mel).T
    wanted = range(steps) if part is None else part
    chunk = max(1, CHUNK // mel.n_fft)
    # A product's bits may depend on its size: the pieces of a part are those of the whole.
    firsts = range(wanted.start // chunk * chunk, wanted.stop, chunk)
    out = np.empty((len(firsts) * chunk, mel.n_mels), np.float32)
    for first in firsts:
        last = min(first + chunk, steps)
        start = first * mel.hop_length - mel.n_fft // 2
        stop = (last - 1) * mel.hop_length - mel.n_fft // 2 + mel.n_fft
        piece = np.zeros(stop - start)
        lo, hi = max(start, 0), min(stop, len(samples))
        if lo < hi:
            piece[lo - start : hi - start] = samples[lo:hi]
        frames = np.lib.stride_tricks.sliding_window_view(piece, mel.n_fft)[:: mel.hop_length]
        spectrum = np.fft.rfft(frames * window)
        power = spectrum.real**2 + spectrum.imag**2
        at = first - firsts.start
        out[at : at + last - first] = np.log(mel.log_epsilon + power @ bands)
        yield (at + chunk) / len(out)
    return out[wanted.start - firsts.start : wanted.stop - firsts.start]


def silent_step(mel: LogMel) -> Float32:
    """(n_mels,) the step where there is no sound."""
    return np.full(mel.n_mels, math.log(mel.log_epsilon), np.float32)


def _window(mel: LogMel) -> Float64:
    phase = np.arange(mel.win_length) * (2 * np.pi / mel.win_length)
    window = np.zeros(mel.n_fft)
    left = (mel.n_fft - mel.win_length) // 2
    window[left : left + mel.win_length] = 0.5 - 0.5 * np.cos(phase)
    return window


def mel_filters(mel: LogMel) -> Float64:
    """(n_mels, 1 + n_fft // 2) triangles over the transform's frequencies, each of unit area."""
    frequencies = np.arange(1 + mel.n_fft // 2) * (mel.sample_rate / mel.n_fft)
    corners = _hz(np.linspace(_mel(mel.fmin), _mel(mel.fmax), mel.n_mels + 2))
    low, centre, high = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    rising = (frequencies - low) / (centre - low)
    falling = (high - frequencies) / (high - centre)
    return np.maximum(0, np.minimum(rising, falling)) * (2 / (high - low))


def _mel(hz: float) -> float:
    return hz / HZ_PER_MEL if hz < BREAK_HZ else BREAK_MEL + math.log(hz / BREAK_HZ) / LOG_STEP


def _hz(mel: Float64) -> Float64:
    above = BREAK_HZ * np.exp(LOG_STEP * (np.maximum(mel, BREAK_MEL) - BREAK_MEL))
    return np.where(mel < BREAK_MEL, HZ_PER_MEL * mel, above)
