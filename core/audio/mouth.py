"""From windows of sound features to the numbers of the mouth's shape (records MouthMap)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..records.arrays import Float32, Float64
from ..records.audio_track import AudioTrack
from ..records.feature_spec import FeatureSpec, MouthMap

ROWS_AT_ONCE = 4096
FAR = 30.0  # logit beyond which the chance is 0 or 1


def mouth_track(track: AudioTrack, spec: FeatureSpec) -> AudioTrack:
    """The track (F, 1, numbers) that the network takes, of a track of windows (F, W, D); the same
    track if the avatar has no MouthMap. Each row depends on its own window alone, to the bit."""
    mouth = spec.mouth
    if mouth is None:
        return track
    outside = track.outside
    if outside is None:
        outside = np.zeros((spec.window, spec.dim), np.float32)
    return replace(
        track,
        windows=_numbers(track.windows, mouth)[:, None],
        outside=_numbers(outside[None], mouth),
    )


def binned(windows: Float32, bins: int) -> Float64:
    """(F, W, D) -> (F, bins * D): the mean of each of `bins` equal parts of a window."""
    rows, window, dim = windows.shape
    parts = windows.reshape(rows, bins, window // bins, dim)
    return parts.mean(axis=2, dtype=np.float64).reshape(rows, bins * dim)


def _numbers(windows: Float32, mouth: MouthMap) -> Float32:
    """(F, W, D) -> (F, numbers)."""
    out = np.empty((len(windows), len(mouth.bias)), np.float32)
    for first in range(0, len(windows), ROWS_AT_ONCE):
        part = binned(windows[first : first + ROWS_AT_ONCE], mouth.bins)
        numbers = np.clip(_weighted(part, mouth.weights, mouth.bias), mouth.low, mouth.high)
        if mouth.shut is not None:
            logits = _weighted(part, mouth.shut.weights, mouth.shut.bias)
            numbers = shut_numbers(numbers, logits, mouth.shut.closed)
        out[first : first + len(part)] = numbers
    return out


def shut_numbers(numbers: Float64, logits: Float64, closed: Sequence[float] | Float64) -> Float64:
    """(F, numbers) of the map, drawn to the closed mouth where lips close and where nobody speaks.
    logits (F, 2): that somebody speaks, that lips close. closed (numbers)."""
    closed = np.asarray(closed)
    silent, closing = 1 - chance(logits[:, 0]), chance(logits[:, 1])
    out = numbers.copy()
    out[:, 0] += closing * (closed[0] - out[:, 0])
    out += silent[:, None] * (closed - out)
    return out


def shut_share(logits: Float64) -> Float64:
    """(F,) how far `shut_numbers` draws the gap to that of the closed mouth."""
    speaks, closing = chance(logits[:, 0]), chance(logits[:, 1])
    return np.asarray(1 - speaks * (1 - closing))


def chance(logits: Float64) -> Float64:
    """The logistic function."""
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -FAR, FAR))))


def _weighted(part: Float64, weights: tuple[float, ...], bias: tuple[float, ...]) -> Float64:
    """(F, K) of (F, bins * D)."""
    out = np.empty((len(part), len(bias)))
    for number, row in enumerate(np.array(weights).reshape(len(bias), -1)):
        # Not a product of matrices: its bits may depend on the number of rows.
        out[:, number] = (part * row).sum(axis=1) + bias[number]
    return out
