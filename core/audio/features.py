"""The track an avatar needs, from a sound or from a file of ready features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FeatureMismatchError
from ..records.audio_track import AudioTrack
from ..records.feature_spec import FeatureSpec
from ..records.timeline import ROW_RATE
from . import logmel, phonetic
from .files import load_waveform
from .logmel import KIND, VERSION, LogMel, log_mel, parameters_from, silent_step
from .npy import track_from_npy
from .waveform import RATE, Waveform
from .windows import check_spec, normalise, windowed

Float32 = NDArray[np.float32]

FEATURE_SUFFIX = ".npy"
BOTH = f"{logmel.KIND}+{phonetic.KIND}"  # log-mel's values, then the phonetic ones
COMPUTED = (logmel.KIND, phonetic.KIND, BOTH)  # kinds that are made from a sound here


def load_track(
    path: Path, spec: FeatureSpec, seconds: float | None = None, rate: float | None = None
) -> AudioTrack:
    """The track of a feature file (.npy; `seconds` and `rate` as in track_from_npy) or of a sound
    file (anything else)."""
    path = Path(path)
    if path.suffix.lower() == FEATURE_SUFFIX:
        return track_from_npy(path, spec, seconds, rate)
    check_hears_sound(spec)
    return track_from_waveform(load_waveform(path), spec)


def check_hears_sound(spec: FeatureSpec) -> None:
    """FeatureMismatchError where the avatar's features cannot be computed here from a sound."""
    if spec.kind not in COMPUTED:
        raise FeatureMismatchError(
            f"the avatar was trained on {spec.kind} features of {spec.dim} values and a sound "
            f"gives {', '.join(COMPUTED)}; give the {spec.kind} features of the sound as a .npy "
            "file"
        )
    check_spec(spec)
    if spec.kind == logmel.KIND:
        _check_log_mel(spec, spec.parameters, spec.dim)
    elif spec.kind == phonetic.KIND:
        _check_phonetic(spec, spec.parameters, spec.dim)
    else:
        _check_log_mel(spec, _part(spec, logmel.KIND), spec.dim - phonetic.DIM)
        _check_phonetic(spec, _part(spec, phonetic.KIND), phonetic.DIM)


def _part(spec: FeatureSpec, kind: str) -> Mapping[str, Any]:
    """The parameters of one half of joined features."""
    part = spec.parameters.get(kind)
    if not isinstance(part, Mapping):
        raise FeatureMismatchError(
            f"the avatar's {spec.kind} parameters lack those of {kind}; train it again"
        )
    return part


def _check_log_mel(spec: FeatureSpec, parameters: Mapping[str, Any], dim: int) -> None:
    mel = parameters_from(parameters)
    if (mel.sample_rate, mel.rate, mel.n_mels, VERSION) != (RATE, spec.rate, dim, spec.version):
        raise FeatureMismatchError(
            f"the avatar was trained on {KIND} version {spec.version}, {dim} values at "
            f"{spec.rate:g} Hz, and its parameters give version {VERSION}, {mel.n_mels} values at "
            f"{mel.rate:g} Hz from {mel.sample_rate} Hz sound (here {RATE}); convert it again or "
            "update the program"
        )


def _check_phonetic(spec: FeatureSpec, parameters: Mapping[str, Any], dim: int) -> None:
    if spec.rate != phonetic.STEPS_PER_SECOND:
        raise FeatureMismatchError(
            f"the avatar was trained on {spec.kind} features at {spec.rate:g} Hz, this program "
            f"makes them at {phonetic.STEPS_PER_SECOND:g} Hz; train it again"
        )
    phonetic.check_parameters(parameters, spec.version, dim)


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


def raw_steps(waveform: Waveform, spec: FeatureSpec) -> Float32:
    """(1 + T // 320, D) the steps of a sound as its extractor makes them, not normalised.
    FeatureMismatchError where `spec` is of a kind that is not computed here."""
    check_hears_sound(spec)
    samples = waveform.samples
    if spec.kind == logmel.KIND:
        return log_mel(samples, parameters_from(spec.parameters))
    if spec.kind == phonetic.KIND:
        return phonetic.phonetic(samples)
    mel = log_mel(samples, parameters_from(_part(spec, logmel.KIND)))
    return np.concatenate([mel, phonetic.phonetic(samples)], 1)


def silence(spec: FeatureSpec) -> Float32:
    """(D,) the step of `raw_steps` where there is no sound."""
    check_hears_sound(spec)
    if spec.kind == logmel.KIND:
        return silent_step(parameters_from(spec.parameters))
    if spec.kind == phonetic.KIND:
        return phonetic.silent_step()
    mel = silent_step(parameters_from(_part(spec, logmel.KIND)))
    return np.concatenate([mel, phonetic.silent_step()])


def track_from_waveform(waveform: Waveform, spec: FeatureSpec) -> AudioTrack:
    """The track of a sound of any length: a row for every 1/25 s that has begun before it ends (786
    rows of 31.44 s), so none for an empty sound. FeatureMismatchError where the avatar was not
    trained on features as computed here."""
    steps = raw_steps(waveform, spec)
    rows = -(-len(waveform) * int(ROW_RATE) // waveform.rate)
    outside = None
    if spec.outside == "silence":
        outside = normalise(silence(spec)[None], spec, clip=steps)[0]
    return windowed(normalise(steps, spec), spec, rows, outside)
