"""What shuts the mouth against the regression, which draws everything to the mean: that nobody
speaks (breath and music would move it), and that m, b or p close the lips (40 ms vanish in it).

Two detectors read both from the phonetic network's blocks. They are the same for every voice, come
with the program (tools/fit_mouth) and are copied into the avatar. A film tells only which shape is
the closed one and how long before their sound its lips close."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..audio import phonetic
from ..audio.mouth import binned, shut_numbers
from ..audio.phonetic_weights import SHA256 as NETWORK
from ..dataset.clip import TrainingClip
from ..dataset.sound import track_of
from ..errors import AvatarFileError, FeatureMismatchError
from ..formats.safetensors import read_tensors
from ..records.arrays import Float32, Float64
from ..records.feature_spec import FeatureSpec, Shut
from .mouth_layers import has_layers, reading

PATH = Path(__file__).with_name("assets") / "mouth_shuts.safetensors"
BINS = 16  # parts of a window, each one step of 20 ms
# The first of two steps at which closing lips are looked for, 40 ms before the frame to 160 ms
# after it: lips close before their sound, and films are in sync to some 40 ms.
AHEAD = tuple(range(6, 15))
# Subtracted from the logit of closing lips, which was fitted to sounds with 30 ms around them: with
# 0 lips close a frame too early, with 2 they stay open in one m, b or p of eight in two languages.
LESS = 1.0
# What remains is multiplied by this: lips are open or shut, and a chance of a half, which the
# detector often gives beside a closing, would leave every mouth there half shut.
STEEP = 3.0
# A film whose unseen frames are worse by more than this factor where nobody seems to speak has a
# voice that the detector does not know: its mouth is left to the regression.
WORSE = 1.2
CLOSED = 0.1  # share of the frames, those with the smallest gap, that show the closed mouth


@dataclass(frozen=True, eq=False)
class Detectors:
    """weights (2, LAYERS) of the network's blocks and bias (2,): the logits of a voice and of
    closing lips, from the mean of the blocks over a window, or over some steps of it."""

    weights: Float32
    bias: Float64


@dataclass(frozen=True, eq=False)
class Detected:
    """What the detectors say of the frames. values (R, BINS, 2): in each step of their windows,
    without the bias."""

    detectors: Detectors
    values: Float64

    def logits(self, ahead: int) -> Float64:
        """(R, 2): that somebody speaks, and that lips close at the steps from `ahead`."""
        closing = self.values[:, ahead : ahead + 2, 1].mean(axis=1)
        means = [self.values[:, :, 0].mean(axis=1), STEEP * closing]
        return np.column_stack(means) + self.bias

    @property
    def bias(self) -> Float64:
        voice, closing = self.detectors.bias
        return np.array([voice, STEEP * (closing - LESS)])


@cache
def load_detectors() -> Detectors:
    """The shipped ones, read once. FeatureMismatchError if the file is missing, damaged or of
    another phonetic network."""
    try:
        tensors, metadata, _ = read_tensors(PATH)
    except AvatarFileError as error:
        raise FeatureMismatchError(
            f"the mouth's detectors cannot be read ({error}); install the program again"
        ) from None
    shapes = {name: array.shape for name, array in tensors.items()}
    wanted = {"weights": (2, phonetic.LAYERS), "biases": (2,)}
    if shapes != wanted or metadata.get("network") != NETWORK:
        raise FeatureMismatchError(
            f"{PATH} does not fit this program's phonetic network; install the program again"
        )
    weights, bias = tensors["weights"], tensors["biases"]
    return Detectors(weights.astype(np.float32), bias.astype(np.float64))


def detect(clip: TrainingClip, spec: FeatureSpec, rows: NDArray[np.int64]) -> Detected | None:
    """In the clip's sound around these frames. None if the network's blocks are not at hand."""
    if not has_layers(spec):
        return None
    detectors = load_detectors()
    track = track_of(clip, reading(spec, detectors.weights))
    windows = track.windows[rows + track.margin][:, :, phonetic.DIM :]
    return Detected(detectors, binned(windows, BINS).reshape(len(rows), BINS, 2))


def closed_shape(numbers: Float64) -> Float64:
    """(M,) the mouth in the frames (R, M) with the smallest gap: at rest, and for m, b and p."""
    smallest = np.argsort(numbers[:, 0])[: max(1, int(CLOSED * len(numbers)))]
    return np.asarray(numbers[smallest].mean(axis=0), np.float64)


def ahead_of(detected: Detected, guess: Float64, numbers: Float64) -> int | None:
    """The step of AHEAD at which this film's lips close, by the error on unseen frames. guess,
    numbers (R, M): of the frames, from a map that did not see them, and measured. None if the
    detectors do not know the film's voice."""
    closed = closed_shape(numbers)

    def error(logits: Float64) -> float:
        shown = shut_numbers(guess, logits, closed)
        return float(((shown - numbers)[:, 0] ** 2).mean())

    voice = detected.logits(AHEAD[0])
    voice[:, 1] = -np.inf
    if error(voice) > WORSE * float(((guess - numbers)[:, 0] ** 2).mean()):
        return None
    return min(AHEAD, key=lambda ahead: error(detected.logits(ahead)))


def shut_at(detected: Detected, ahead: int, closed: Float64, dim: int, first: int) -> Shut:
    """What shuts the mouth to `closed` (M,), of an avatar whose values `first` and the next of a
    step (dim) are what the detectors read."""
    weights = np.zeros((2, BINS, dim))
    weights[0, :, first] = 1 / BINS
    weights[1, ahead : ahead + 2, first + 1] = STEEP / 2
    return Shut(plain(weights.ravel()), plain(detected.bias), plain(closed))


def plain(values: NDArray[np.floating]) -> tuple[float, ...]:
    """(N,) as Python's own numbers."""
    return tuple(map(float, values))
