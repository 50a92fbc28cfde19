"""The sound features that an avatar was trained on; plain JSON in the .egs header."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

NORMALISATIONS = ("none", "clip", "fixed")
OUTSIDE = ("zeros", "silence")


@dataclass(frozen=True)
class FeatureSpec:
    """kind: "log-mel", "phonetic" or "log-mel+phonetic" (computed here), or a kind that is only
    read from .npy files: "deepspeech", "wav2vec2", "hubert". version: of the extractor. dim: values
    per step. rate: steps a second. window: steps per window, stride: steps from one window to the
    next, pad: zero steps added at both ends; rate / stride is the rows' rate, 25 a second.
    parameters: of the extractor. normalisation: "none", "clip" (mean and deviation of the clip
    itself) or "fixed" (mean, std below, per value). outside: the features before and after the
    sound: "zeros", as the official loader does, or "silence", the features of no sound (kinds that
    are computed here only)."""

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
