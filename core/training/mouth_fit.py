"""The map from the sound to the numbers of the mouth's shape: ridge regression on frames and on
sounds at which the mouth rests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..audio.features import track_from_waveform
from ..audio.mouth import binned, shut_numbers, shut_share
from ..records.arrays import Float32, Float64
from ..records.audio_track import AudioTrack
from ..records.feature_spec import FeatureSpec, MouthMap
from ..records.voice import RATE, Waveform
from .mouth_layers import PARTS, STEPS, WINDOW_PARTS, Layers, reading
from .mouth_regression import Inputs, regressions
from .mouth_shut import BINS, Detected, ahead_of, closed_shape, plain, shut_at

LIMITS = (1, 99)  # percentiles of the measured numbers; what is heard stays between them
NOISES = ((0, -30), (0, -50), (1, -30), (1, -50), (2, -30), (2, -50))  # 1/f^k power, dB
NOISE_SECONDS = 2.0


def fit_mouth(
    track: AudioTrack,
    spec: FeatureSpec,
    layers: Layers | None,
    detected: Detected | None,
    numbers: Float64,
    rows: NDArray[np.int64],
) -> tuple[FeatureSpec, float]:
    """The features with the map to the numbers (R, M) of the frames `rows`, and the correlation of
    the first number with the measured one on frames that the map did not see. The features have
    values of their own if `layers` help to predict unseen frames, and for what is `detected`."""
    features = Inputs(
        binned(track.windows[rows + track.margin], WINDOW_PARTS),
        binned(_at_rest(track, lambda sound: track_from_waveform(sound, spec)), WINDOW_PARTS),
    )
    blocks, sizes = None, np.ones(0)
    if layers is not None:
        near = layers.at(layers.track.windows[rows + layers.track.margin])
        sizes = np.maximum(near.std(axis=0), 1e-6)
        resting = layers.at(_at_rest(layers.track, layers.of_sound))
        blocks = Inputs(near / sizes, resting / sizes)
    low, high = np.percentile(numbers, LIMITS, axis=0)
    closed = closed_shape(numbers)
    found = regressions(features, blocks, numbers, rows)
    guess = np.clip(np.column_stack([one.guess for one in found]), low, high)
    ahead = None if detected is None else ahead_of(detected, guess, numbers)
    if detected is not None and ahead is not None:
        logits = detected.logits(ahead)
        # The gap once more, with what will shut it: the rest has other errors to make good.
        found[:1] = regressions(features, blocks, numbers[:, :1], rows, shut_share(logits))
        guess[:, 0] = np.clip(found[0].guess, low[0], high[0])
        guess = shut_numbers(guess, logits, closed)

    own = [one.blocks / sizes.reshape(len(PARTS), -1) for one in found if one.blocks is not None]
    place, shut = track.windows.shape[2], None
    read = place + sum(map(len, own))
    if detected is not None and ahead is not None:
        own.append(detected.detectors.weights.astype(np.float64))
        shut = shut_at(detected, ahead, closed, read + 2, read)
    if own:
        spec = reading(spec, np.concatenate(own).astype(np.float32))
    # Of each part of the window, STEPS steps.
    weights = np.zeros((len(found), WINDOW_PARTS, spec.dim))
    for into, one in zip(weights, found, strict=True):
        into[:, : track.windows.shape[2]] = one.weights.reshape(WINDOW_PARTS, -1)
        if one.blocks is not None:
            for part in PARTS:
                into[part, place] = 1.0
                place += 1
    flat = np.repeat(weights / STEPS, STEPS, axis=1).astype(np.float32).ravel()
    mouth = MouthMap(
        BINS,
        plain(flat),
        tuple(one.bias for one in found),
        plain(low),
        plain(high),
        shut,
    )
    correlation = float(np.corrcoef(guess[:, 0], numbers[:, 0])[0, 1])
    return replace(spec, mouth=mouth), correlation


def _at_rest(track: AudioTrack, hear: Callable[[Waveform], AudioTrack]) -> Float32:
    """(S, W, D) windows of silence and of room noise, at which the mouth rests."""
    assert track.outside is not None
    found = []
    for sound in _noises():
        heard = hear(Waveform(sound))
        found.append(heard.windows[2 * heard.margin : -2 * heard.margin])
    silence = np.repeat(track.outside[None], len(found[0]), axis=0)
    return np.concatenate([*found, silence])


def _noises() -> list[Float32]:
    rng = np.random.default_rng(0)
    count = int(NOISE_SECONDS * RATE)
    frequencies = np.arange(count // 2 + 1) + 1.0
    out = []
    for power, level in NOISES:
        spectrum = np.fft.rfft(rng.normal(size=count)) / frequencies ** (power / 2)
        noise = np.fft.irfft(spectrum, count)
        noise *= 10 ** (level / 20) / noise.std()
        out.append(noise.astype(np.float32))
    return out
