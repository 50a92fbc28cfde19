"""The sound features that an avatar was trained on; plain JSON in the .egs header."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

NORMALISATIONS = ("none", "clip", "fixed")
OUTSIDE = ("zeros", "silence")


@dataclass(frozen=True)
class Shut:
    """What shuts the mouth against its map: that nobody speaks, and that m, b or p close the lips.
    weights (2 * bins * dim) and bias (2) of the window give the logit of each: that somebody
    speaks, and that lips close. closed (numbers): the mouth where nobody speaks; closing lips have
    its first number alone."""

    weights: tuple[float, ...]
    bias: tuple[float, ...]
    closed: tuple[float, ...]


@dataclass(frozen=True)
class MouthMap:
    """A linear map from a window of features to a few numbers that say how the mouth is shaped;
    they then are the network's only sound input. bins: equal parts of the window, whose steps are
    averaged. weights (numbers * bins * dim), number by number; bias (numbers). low, high (numbers):
    the limits of the result. Units: standard deviations of the training's frames. shut: None if
    the sound alone moves the mouth."""

    bins: int
    weights: tuple[float, ...]
    bias: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    shut: Shut | None = None


@dataclass(frozen=True)
class FeatureSpec:
    """kind: "log-mel", "phonetic" or "log-mel+phonetic" (computed here), or a kind that is only
    read from .npy files: "deepspeech", "wav2vec2", "hubert". version: of the extractor. dim: values
    per step. rate: steps a second. window: steps per window, stride: steps from one window to the
    next, pad: zero steps added at both ends; rate / stride is the rows' rate, 25 a second.
    parameters: of the extractor. normalisation: "none", "clip" (mean and deviation of the clip
    itself) or "fixed" (mean, std below, per value). outside: the features before and after the
    sound: "zeros", as the official loader does, or "silence", the features of no sound (kinds that
    are computed here only). mouth: what becomes of a window; None: the window itself."""

    kind: str
    dim: int
    version: int = 1
    rate: float = 50.0
    window: int = 16
    stride: int = 2
    pad: int = 8
    parameters: Mapping[str, Any] = field(default_factory=dict)
    normalisation: str = "none"
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    outside: str = "zeros"
    mouth: MouthMap | None = None

    @property
    def values(self) -> int:
        """Values a step that the network takes."""
        return self.dim if self.mouth is None else len(self.mouth.bias)

    @property
    def steps(self) -> int:
        """Steps of a window that the network takes."""
        return self.window if self.mouth is None else 1
