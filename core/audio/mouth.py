"""From windows of sound features to the numbers of the mouth's shape (records MouthMap)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..records.arrays import Float32, Float64
from ..records.audio_track import AudioTrack
from ..records.feature_spec import FeatureSpec, MouthMap

ROWS_AT_ONCE = 4096


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
    bias = np.array(mouth.bias)
    weights = np.array(mouth.weights).reshape(len(bias), -1)
    out = np.empty((len(windows), len(bias)), np.float32)
    for first in range(0, len(windows), ROWS_AT_ONCE):
        part = binned(windows[first : first + ROWS_AT_ONCE], mouth.bins)
        for number, row in enumerate(weights):
            # Not a product of matrices: its bits may depend on the number of rows.
            out[first : first + len(part), number] = (part * row).sum(axis=1) + bias[number]
    return np.clip(out, *(np.array(limit, np.float32) for limit in (mouth.low, mouth.high)))
