"""The track an avatar needs, from a sound or from a file of ready features."""

from __future__ import annotations

from pathlib import Path

from ..errors import FeatureMismatchError
from ..timeline import ROW_RATE
from .files import load_waveform
from .logmel import KIND, VERSION, log_mel, parameters_from, silent_step
from .npy import track_from_npy
from .spec import FeatureSpec
from .track import AudioTrack
from .waveform import RATE, Waveform
from .windows import check_spec, normalise, windowed

FEATURE_SUFFIX = ".npy"


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
    if spec.kind != KIND:
        raise FeatureMismatchError(
            f"the avatar was trained on {spec.kind} features of {spec.dim} values and a sound "
            f"gives {KIND}; give the {spec.kind} features of the sound as a .npy file"
        )
    check_spec(spec)
    mel = parameters_from(spec.parameters)
    if (mel.sample_rate, mel.rate, mel.n_mels, VERSION) != (
        RATE,
        spec.rate,
        spec.dim,
        spec.version,
    ):
        raise FeatureMismatchError(
            f"the avatar was trained on {KIND} version {spec.version}, {spec.dim} values at "
            f"{spec.rate:g} Hz, and its parameters give version {VERSION}, {mel.n_mels} values at "
            f"{mel.rate:g} Hz from {mel.sample_rate} Hz sound (here {RATE}); convert it again or "
            "update the program"
        )


def track_from_waveform(waveform: Waveform, spec: FeatureSpec) -> AudioTrack:
    """The track of a sound of any length: a row for every 1/25 s that has begun before it ends (786
    rows of 31.44 s), so none for an empty sound. FeatureMismatchError where the avatar was not
    trained on log-mel features as computed here."""
    check_hears_sound(spec)
    rows = -(-len(waveform) * int(ROW_RATE) // waveform.rate)
    mel = parameters_from(spec.parameters)
    steps = log_mel(waveform.samples, mel)
    outside = None
    if spec.outside == "silence":
        outside = normalise(silent_step(mel)[None], spec, clip=steps)[0]
    return windowed(normalise(steps, spec), spec, rows, outside)
