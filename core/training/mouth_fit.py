"""The map from the sound to the numbers of the mouth's shape: ridge regression on frames and on
sounds at which the mouth rests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..audio.features import track_from_waveform
from ..audio.mouth import binned
from ..records.arrays import Float32, Float64
from ..records.audio_track import AudioTrack
from ..records.feature_spec import FeatureSpec, MouthMap
from ..records.voice import RATE, Waveform
from .mouth_layers import PARTS, Layers, reading
from .mouth_shut import BINS, Detected, closed_shape, shut_for
from .ridge import PENALTIES, Penalised, ridge, unseen

LIMITS = (1, 99)  # percentiles of the measured numbers; what is heard stays between them
# Regression shrinks what it does not know; the numbers get back the spread that they have in the
# film, as far as this factor: a number that the sound hardly explains would be noise.
MAX_FACTOR = 2.5
# Weight of the sounds at rest, as a share of that of the frames.
REST_WEIGHT = 0.05
NOISES = ((0, -30), (0, -50), (1, -30), (1, -50), (2, -30), (2, -50))  # 1/f^k power, dB
NOISE_SECONDS = 2.0
# What a deviation of a block's value weighs beside one of a feature: the penalty of the blocks is
# this much weaker, squared. 0: features alone. Which is best is seen on unseen frames.
SCALES = (0.0, 0.1, 0.3, 1.0)


@dataclass(frozen=True, eq=False)
class _Inputs:
    """Of the frames (R, N) and of the sounds at rest (S, N)."""

    frames: Float64
    resting: Float64

    def joined(self, other: _Inputs | None, scale: float) -> _Inputs:
        if other is None or not scale:
            return self
        return _Inputs(
            np.concatenate([self.frames, scale * other.frames], 1),
            np.concatenate([self.resting, scale * other.resting], 1),
        )


@dataclass(frozen=True, eq=False)
class _Found:
    """Of one number: weights of the features (BINS * D,) and of the blocks (PARTS, LAYERS), None
    if they do not help. guess (R,): of the frames, from a map that did not see them."""

    weights: Float64
    blocks: Float64 | None
    bias: float
    guess: Float64


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
    features = _Inputs(
        binned(track.windows[rows + track.margin], BINS),
        binned(_at_rest(track, lambda sound: track_from_waveform(sound, spec)), BINS),
    )
    blocks, sizes = None, np.ones(0)
    if layers is not None:
        near = layers.at(layers.track.windows[rows + layers.track.margin])
        sizes = np.maximum(near.std(axis=0), 1e-6)
        resting = layers.at(_at_rest(layers.track, layers.of_sound))
        blocks = _Inputs(near / sizes, resting / sizes)
    found = [
        replace(one, blocks=one.blocks / sizes.reshape(len(PARTS), -1))
        if one.blocks is not None
        else one
        for one in _regressions(features, blocks, numbers, rows)
    ]
    low, high = (tuple(map(float, limit)) for limit in np.percentile(numbers, LIMITS, axis=0))
    own = [one.blocks for one in found if one.blocks is not None]
    place = track.windows.shape[2]
    read = place + sum(map(len, own))
    guess, shut = np.clip(np.column_stack([one.guess for one in found]), low, high), None
    if detected is not None:
        shut, guess = shut_for(detected, guess, numbers, read + 2, read)
        own += [] if shut is None else [detected.detectors.weights.astype(np.float64)]
    if own:
        spec = reading(spec, np.concatenate(own).astype(np.float32))
    weights = np.zeros((len(found), BINS, spec.dim))
    for into, one in zip(weights, found, strict=True):
        into[:, : track.windows.shape[2]] = one.weights.reshape(BINS, -1)
        if one.blocks is not None:
            for part in PARTS:
                into[part, place] = 1.0
                place += 1
    flat = tuple(float(value) for value in weights.astype(np.float32).ravel())
    bias = tuple(one.bias for one in found)
    correlation = float(np.corrcoef(guess[:, 0], numbers[:, 0])[0, 1])
    return replace(spec, mouth=MouthMap(BINS, flat, bias, low, high, shut)), correlation


def _regressions(
    features: _Inputs, blocks: _Inputs | None, numbers: Float64, rows: NDArray[np.int64]
) -> list[_Found]:
    """One for each number. All share their inputs: the last column of what is wanted says where
    the mouth rests, so that the place of rest can be chosen afterwards."""
    scales = SCALES if blocks is not None else SCALES[:1]
    count = len(features.resting)
    wanted = np.column_stack([numbers, np.zeros(len(numbers))])
    at_rest = np.column_stack([np.zeros((count, numbers.shape[1])), np.ones(count)])
    each = REST_WEIGHT * len(rows) / max(count, 1)
    samples = []
    for scale in scales:
        inputs = features.joined(blocks, scale)
        samples.append(Penalised(inputs.frames, wanted, inputs.resting, at_rest, each))
    predicted = np.stack([unseen(each_, rows) for each_ in samples])
    out = []
    for number, (values, rest) in enumerate(zip(numbers.T, closed_shape(numbers), strict=True)):
        factor = 1.0
        for _ in range(2):  # the second time with a rest that the factor brings to its place
            guesses = predicted[..., number] + rest / factor * predicted[..., -1]
            errors = ((guesses - values) ** 2).mean(axis=2)
            best, penalty = map(int, np.unravel_index(errors.argmin(), errors.shape))
            guess = guesses[best, penalty]
            factor = min(1 / max(float(guess.std()), 1e-6), MAX_FACTOR)
        both, biases = ridge(samples[best], PENALTIES[penalty])
        weights = factor * (both[:, number] + rest / factor * both[:, -1])
        bias = factor * float(biases[number] + rest / factor * biases[-1])
        width = features.frames.shape[1]
        read = scales[best] * weights[width:].reshape(len(PARTS), -1) if best else None
        out.append(_Found(weights[:width], read, bias, factor * guess))
    return out


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
