"""Phonetic features: how much a step sounds like each of 22 mouth shapes, for any speaker.

A linear readout of the phonetic network's four blocks, over two steps to either side. An avatar may
add values that it reads from the same blocks by weights of its own (`own_readout`). Long sounds are
processed in overlapping windows on a fixed grid, so memory is bounded and a step depends on nothing
farther than a window away."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FeatureMismatchError
from ..records.arrays import Float32
from ..records.voice import Samples
from ..system.gemm import Gemm, numpy_has_calm_blas
from ..system.steps import finished
from .conformer import WIDTH
from .phonetic_network import BLOCKS, RATE, STEP, bands, hidden_layers
from .phonetic_weights import PhoneticWeights, load_weights, provenance

KIND = "phonetic"
VERSION = 1
DIM = 22
LAYERS = BLOCKS * WIDTH  # values of a step in the network's blocks
OWN = "own_readout"  # parameter: weights of an avatar's own values, LAYERS for each
MAX_OWN = LAYERS
STEPS_PER_SECOND = RATE / STEP
CORE = 400  # steps (8 s) that a window produces
CONTEXT = 100  # steps (2 s) of context before and after them
BLEND = 20  # steps over which one window's values pass into the next one's
AROUND = 2  # steps of the readout to either side


def parameters() -> dict[str, Any]:
    """The extractor's parameters, as in an avatar's header."""
    return {"sample_rate": RATE, "hop_length": STEP, **provenance()}


def own_readout(values: Mapping[str, Any]) -> Float32:
    """(LAYERS, K) of an avatar's parameters: column k makes value DIM + k of a step from the
    network's blocks. FeatureMismatchError if they are not LAYERS numbers for each value."""
    given = values.get(OWN, [])
    try:
        flat = np.asarray(given, np.float32)
        if not isinstance(given, list) or flat.ndim != 1 or not np.isfinite(flat).all():
            raise ValueError
        own: Float32 = flat.reshape(-1, LAYERS)
    except (ValueError, TypeError, OverflowError):
        own = np.empty((0, 0), np.float32)
    if own.shape[1] != LAYERS or len(own) > MAX_OWN:
        raise FeatureMismatchError(
            f"the avatar's {KIND} parameter {OWN} is not a list of {LAYERS} finite numbers for "
            f"each of at most {MAX_OWN} values; train it again"
        )
    return np.ascontiguousarray(own.T)


def check_parameters(values: Mapping[str, Any], version: int, dim: int) -> None:
    """FeatureMismatchError if an avatar was trained on another phonetic network."""
    here = parameters()
    if (version, dim) != (VERSION, DIM):
        raise FeatureMismatchError(
            f"the avatar was trained on {KIND} features version {version} of {dim} values, this "
            f"program makes version {VERSION} of {DIM}; update the program or train it again"
        )
    for name in ("sample_rate", "hop_length", "weights_sha256"):
        if values.get(name) != here[name]:
            raise FeatureMismatchError(
                f"the avatar's {KIND} network has {name} {str(values.get(name))[:12]}, this "
                f"program's {str(here[name])[:12]}; update the program or train it again"
            )


def pieces(
    samples: Samples, part: range | None = None, own: Float32 | None = None
) -> Generator[float, None, Float32]:
    """Makes (1 + T // 320, 22) float32 of (T,) samples at 16 kHz: step k is centred on sample
    320 k, a value is about 1 where the sound is that class (`load_weights().classes`) and 0
    elsewhere. part: the only steps that are wanted, with the same bits. own (LAYERS, K): weights of
    K more values. Yields the share that is done after every 8 s of sound."""
    weights = load_weights()
    steps = 1 + len(samples) // STEP
    wanted = range(steps) if part is None else part
    total = np.zeros((len(wanted), DIM + (0 if own is None else own.shape[1])), np.float32)
    share = np.zeros((len(wanted), 1), np.float32)
    # The grid of windows is that of the whole sound.
    begin = max(0, (wanted.start - BLEND) // CORE * CORE)
    for first in range(begin, min(steps, wanted.stop + BLEND), CORE):
        lo, hi = max(0, first - BLEND), min(steps, first + CORE + BLEND)
        used = slice(max(lo, wanted.start), min(hi, wanted.stop))
        if used.start >= used.stop:
            continue
        start, stop = max(0, lo - CONTEXT), min(steps, hi + CONTEXT)
        end = len(samples) if stop == steps else (stop - 1) * STEP + 1
        mel = bands(samples[start * STEP : end], weights)
        values = read(hidden_layers(mel, weights), weights, own)[used.start - start :]
        weight = _weight(np.arange(lo, hi), first, steps)[used.start - lo : used.stop - lo]
        into = slice(used.start - wanted.start, used.stop - wanted.start)
        total[into] += weight * values[: len(weight)]
        share[into] += weight
        yield min(into.stop, len(wanted)) / len(wanted)
    result: Float32 = total / share
    return result


def phonetic(samples: Float32) -> Float32:
    """The result of `pieces`, in one call."""
    return finished(pieces(samples))


def read(layers: Float32, weights: PhoneticWeights, own: Float32 | None = None) -> Float32:
    """(T, 22 + K) of (T, 4, 144) hidden layers: the values of `readout`, then an avatar's own."""
    values = readout(layers, weights)
    if own is None:
        return values
    more = Gemm(numpy_has_calm_blas()).multiply(layers.reshape(len(layers), -1), own)
    return np.concatenate([values, more], 1)


def readout(layers: Float32, weights: PhoneticWeights) -> Float32:
    """(T, 22) of (T, 4, 144) hidden layers; the first and the last step are repeated outside."""
    flat = layers.reshape(len(layers), -1)
    padded = np.pad(flat, ((AROUND, AROUND), (0, 0)), mode="edge")
    gemm = Gemm(numpy_has_calm_blas())
    result = np.tile(weights["readout.bias"], (len(flat), 1))
    for k, near in enumerate(np.split(weights["readout.weight"], 2 * AROUND + 1, axis=1)):
        result += gemm.multiply(padded[k : k + len(flat)], np.ascontiguousarray(near).T)
    return result


def _weight(steps: NDArray[np.int64], first: int, count: int) -> Float32:
    """(n, 1) of a window whose core begins at `first`: 1 inside, falling over 2 BLEND steps at an
    edge that another window continues."""
    rising = (steps - (first - BLEND) + 0.5) / (2 * BLEND)
    falling = ((first + CORE + BLEND) - steps - 0.5) / (2 * BLEND)
    one = np.ones(len(steps))
    weight = np.minimum(one if first == 0 else rising, one if first + CORE >= count else falling)
    return np.clip(weight, 0, 1)[:, None].astype(np.float32)


@cache
def silent_step() -> Float32:
    """(22,) the step where there is no sound: in the middle of four seconds of silence."""
    step = phonetic(np.zeros(4 * RATE, np.float32))[100]
    step.flags.writeable = False
    return step


def own_silence(own: Float32) -> Float32:
    """(22 + K,) the same step with an avatar's own values."""
    return np.concatenate([silent_step(), _silent_layers() @ own])


@cache
def _silent_layers() -> Float32:
    """(LAYERS,) the network's blocks at that step."""
    weights = load_weights()
    layers = hidden_layers(bands(np.zeros(4 * RATE, np.float32), weights), weights)[100]
    return layers.reshape(-1)
