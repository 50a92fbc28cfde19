"""Turns a sound into steps of features; chosen once, by the kind that an avatar names."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np

from ..errors import FeatureMismatchError
from ..records.arrays import Float32
from ..records.feature_spec import FeatureSpec
from ..records.voice import RATE, Samples
from . import logmel, phonetic
from .logmel import LogMel
from .streams import JoinedStream, LogMelStream, PhoneticStream, Stream
from .windows import check_spec

BOTH = f"{logmel.KIND}+{phonetic.KIND}"  # log-mel's values, then the phonetic ones
COMPUTED = (logmel.KIND, phonetic.KIND, BOTH)  # kinds that are made from a sound here


class Extractor(Protocol):
    """dim: values a step, D. effort: approximate seconds of work for a second of sound on one
    core."""

    @property
    def dim(self) -> int: ...

    @property
    def effort(self) -> float: ...

    def count(self, samples: int) -> int:
        """Steps of a sound of that many samples."""
        ...

    def pieces(
        self, samples: Samples, part: range | None = None
    ) -> Generator[float, None, Float32]:
        """Makes the (count(T), D) steps of (T,) samples at 16 kHz, not normalised: yields the
        share that is done, in [0, 1], after each piece, and returns the steps. part: the only ones
        that are wanted, bit for bit those of the whole; not empty."""
        ...

    def silence(self) -> Float32:
        """(D,) the step where there is no sound."""
        ...

    def stream(self, keep: int) -> Stream:
        """The same for a live sound; keep: how many of the newest steps stay available."""
        ...


@dataclass(frozen=True)
class LogMelExtractor:
    mel: LogMel
    effort = 0.001

    @property
    def dim(self) -> int:
        return self.mel.n_mels

    def count(self, samples: int) -> int:
        return logmel.step_count(samples, self.mel.hop_length)

    def pieces(
        self, samples: Samples, part: range | None = None
    ) -> Generator[float, None, Float32]:
        return logmel.pieces(samples, self.mel, part)

    def silence(self) -> Float32:
        return logmel.silent_step(self.mel)

    def stream(self, keep: int) -> Stream:
        return LogMelStream(self.mel, keep)


@dataclass(frozen=True, eq=False)
class PhoneticExtractor:
    """own (LAYERS, K): weights of an avatar's own values, which follow the common ones."""

    own: Float32 | None = None
    effort = 0.015

    @property
    def dim(self) -> int:
        return phonetic.DIM + (0 if self.own is None else self.own.shape[1])

    def count(self, samples: int) -> int:
        return 1 + samples // phonetic.STEP

    def pieces(
        self, samples: Samples, part: range | None = None
    ) -> Generator[float, None, Float32]:
        return phonetic.pieces(samples, part, self.own)

    def silence(self) -> Float32:
        return phonetic.silent_step() if self.own is None else phonetic.own_silence(self.own)

    def stream(self, keep: int) -> Stream:
        return PhoneticStream(keep, self.own)


@dataclass(frozen=True)
class Joined:
    """The values of two extractors concatenated, those of `first` first."""

    first: Extractor
    second: Extractor

    @property
    def dim(self) -> int:
        return self.first.dim + self.second.dim

    @property
    def effort(self) -> float:
        return self.first.effort + self.second.effort

    def count(self, samples: int) -> int:
        return self.first.count(samples)

    def pieces(
        self, samples: Samples, part: range | None = None
    ) -> Generator[float, None, Float32]:
        share = self.first.effort / self.effort
        first = yield from _scaled(self.first.pieces(samples, part), 0.0, share)
        second = yield from _scaled(self.second.pieces(samples, part), share, 1 - share)
        return np.concatenate([first, second], 1)

    def silence(self) -> Float32:
        return np.concatenate([self.first.silence(), self.second.silence()])

    def stream(self, keep: int) -> Stream:
        return JoinedStream(self.first.stream(keep), self.second.stream(keep))


def extractor_of(spec: FeatureSpec) -> Extractor:
    """The extractor of these features. FeatureMismatchError if this program cannot compute them
    from a sound: another kind, another version, other parameters."""
    if spec.kind not in _CHOICE:
        raise FeatureMismatchError(
            f"the avatar was trained on {spec.kind} features of {spec.dim} values; this program "
            f"computes only {', '.join(COMPUTED)}; give the {spec.kind} features of the sound as a "
            ".npy file"
        )
    check_spec(spec)
    return _CHOICE[spec.kind](spec)


def computed_spec(kind: str, bands: int = 29) -> FeatureSpec:
    """The features of a kind of COMPUTED as this program makes them, not normalised yet. bands: of
    the log-mel in it."""
    mel = asdict(LogMel(n_mels=bands))
    dim, parameters = {
        logmel.KIND: (bands, mel),
        phonetic.KIND: (phonetic.DIM, phonetic.parameters()),
        BOTH: (
            bands + phonetic.DIM,
            {logmel.KIND: mel, phonetic.KIND: phonetic.parameters()},
        ),
    }[kind]
    return FeatureSpec(kind, dim, parameters=parameters, outside="silence")


def _scaled(
    pieces: Generator[float, None, Float32], start: float, share: float
) -> Generator[float, None, Float32]:
    """The pieces as part of a longer computation: `share` of it, from `start` on."""
    while True:
        try:
            done = next(pieces)
        except StopIteration as end:
            steps: Float32 = end.value
            return steps
        yield start + share * done


def _log_mel(spec: FeatureSpec, parameters: Mapping[str, Any], dim: int) -> LogMelExtractor:
    mel = logmel.parameters_from(parameters)
    made = (mel.sample_rate, mel.rate, mel.n_mels, logmel.VERSION)
    if made != (RATE, spec.rate, dim, spec.version):
        raise FeatureMismatchError(
            f"the avatar was trained on {logmel.KIND} version {spec.version}, {dim} values at "
            f"{spec.rate:g} Hz, and its parameters give version {logmel.VERSION}, {mel.n_mels} "
            f"values at {mel.rate:g} Hz from {mel.sample_rate} Hz sound (here {RATE}); convert it "
            "again or update the program"
        )
    return LogMelExtractor(mel)


def _phonetic(spec: FeatureSpec, parameters: Mapping[str, Any], dim: int) -> PhoneticExtractor:
    if spec.rate != phonetic.STEPS_PER_SECOND:
        raise FeatureMismatchError(
            f"the avatar was trained on {spec.kind} features at {spec.rate:g} Hz, this program "
            f"makes them at {phonetic.STEPS_PER_SECOND:g} Hz; train it again"
        )
    own = phonetic.own_readout(parameters)
    phonetic.check_parameters(parameters, spec.version, dim - own.shape[1])
    return PhoneticExtractor(own if own.size else None)


def _joined(spec: FeatureSpec) -> Joined:
    return Joined(
        _log_mel(spec, _part(spec, logmel.KIND), spec.dim - phonetic.DIM),
        _phonetic(spec, _part(spec, phonetic.KIND), phonetic.DIM),
    )


def _part(spec: FeatureSpec, kind: str) -> Mapping[str, Any]:
    """The parameters of one half of joined features."""
    part = spec.parameters.get(kind)
    if not isinstance(part, Mapping):
        raise FeatureMismatchError(
            f"the avatar's {spec.kind} parameters lack those of {kind}; train it again"
        )
    return part


_CHOICE: Mapping[str, Callable[[FeatureSpec], Extractor]] = {
    logmel.KIND: lambda spec: _log_mel(spec, spec.parameters, spec.dim),
    phonetic.KIND: lambda spec: _phonetic(spec, spec.parameters, spec.dim),
    BOTH: _joined,
}
