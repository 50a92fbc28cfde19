"""Converts samples of any rate and number of channels to a Waveform: mono, float32, 16 kHz."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import AudioError
from ..records.arrays import Float32
from ..records.voice import RATE, Waveform
from .channels import MonoSound, voice_of
from .resample import resample

MAX_SECONDS = 6 * 3600
MIN_SOURCE_RATE, MAX_SOURCE_RATE = 1000, 384000
MAX_CHANNELS = 64


def from_samples(samples: NDArray[Any], rate: float, name: str = "the sound") -> Waveform:
    """The waveform of (n,) or (n, channels) floating samples at `rate` Hz (a whole number): the
    voice in them (channels.py), resampled to 16 kHz. 16 kHz mono float32 keeps every bit. Zero
    samples are legal. AudioError, with `name` in it, where shape, type, rate, length or too many
    values are impossible."""
    samples = np.asarray(samples)
    if samples.dtype.kind != "f":
        raise AudioError(f"{name}: samples are {samples.dtype}; give floating samples in [-1, 1]")
    if samples.ndim not in (1, 2):
        raise AudioError(f"{name}: samples of shape {samples.shape}; give (n,) or (n, channels)")
    columns = samples[:, None] if samples.ndim == 1 else samples
    channels = columns.shape[1]
    whole = check_layout(len(samples), channels, rate, name)

    def read(start: int, stop: int) -> NDArray[np.floating[Any]]:
        return np.asarray(columns[start:stop])

    return from_mono(voice_of(read, len(samples), whole, channels, name))


def from_mono(sound: MonoSound) -> Waveform:
    """The waveform of mono samples that are read piece by piece."""
    return Waveform(resample(sound.read, sound.length, sound.rate, RATE), notes=sound.notes)


def check_layout(length: int, channels: int, rate: float, name: str) -> int:
    """`rate` as a whole number. AudioError if no sound can have this layout; allocates nothing."""
    if not 1 <= channels <= MAX_CHANNELS:
        raise AudioError(f"{name} has {channels} channels; give 1 to {MAX_CHANNELS}")
    if not MIN_SOURCE_RATE <= rate <= MAX_SOURCE_RATE or rate != int(rate):
        raise AudioError(
            f"{name} has {rate:g} samples a second; give a whole number from "
            f"{MIN_SOURCE_RATE} to {MAX_SOURCE_RATE}"
        )
    if length > MAX_SECONDS * rate:
        raise AudioError(
            f"{name} lasts {length / rate / 3600:.1f} hours, more than {MAX_SECONDS // 3600}; "
            "cut it into parts"
        )
    return int(rate)


def mono(samples: NDArray[np.floating[Any]], name: str) -> Float32:
    """(n,) float32 of (n,) or (n, channels): one channel unchanged, the mean of several."""
    if samples.ndim == 2:
        samples = samples[:, 0] if samples.shape[1] == 1 else samples.mean(1, dtype=np.float64)
    with np.errstate(over="ignore"):  # a float64 beyond float32 becomes infinite, caught below
        out = samples.astype(np.float32, copy=False)
    if not np.isfinite(out).all():
        raise AudioError(f"{name} holds samples that are not finite numbers; export it again")
    return out
