"""The sound features of a training: one track whose row i is frame i."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from ..audio import logmel
from ..audio.extractor import COMPUTED, computed_spec
from ..audio.features import track_from_waveform
from ..audio.files import load_waveform
from ..audio.windows import normalise
from ..errors import ArgumentError, DatasetError
from ..records.arrays import Float32
from ..records.audio_track import AudioTrack
from ..records.feature_spec import FeatureSpec
from ..records.timeline import ROW_RATE
from ..records.voice import RATE, Waveform
from .clip import TrainingClip
from .features import STATS_FILE, choose_features, fixed
from .rates import likely_rate
from .sound_npy import FILE_KINDS, track_from_files

BANDS = 29  # of log-mel, as many values as a step of DeepSpeech has
SILENT = 1e-4  # of full scale; a 16-bit sound's last bit is a third of it
SAMPLES_PER_ROW = RATE // int(ROW_RATE)
ENOUGH = 0.8  # of the frames must have sound
EXACT = 2  # rows by which sound and frames may differ without a note
FEW = 1.5  # seconds by which they may differ at their end, whatever their ratio is


# Kinds that are computed from the sound here -> their spec before normalisation.
SOUND_KINDS: dict[str, Callable[[], FeatureSpec]] = {
    kind: partial(computed_spec, kind, BANDS) for kind in COMPUTED
}


def training_track(
    clip: TrainingClip,
    kind: str = logmel.KIND,
    *,
    files: Sequence[Path] = (),
    notes: list[str] | None = None,
) -> tuple[AudioTrack, FeatureSpec]:
    """The track of all frames of `clip`, and the spec that an avatar trained on it carries.

    kind: one of SOUND_KINDS, computed from the clip's sound (aud.wav, then aud_more.wav from
    `more_start` on) and normalised by mean and deviation of the training rows, or by the dataset's
    own mel.npz; or one of FILE_KINDS, from `files`, .npy: the first of all rows, an optional second
    one of those from `more_start` on. Without `files`: the dataset's own (aud_ds.npy).
    notes: a list that receives one line for each thing the user should know.

    ArgumentError: unknown kind. DatasetError: no sound, a silent or a far too short one.
    AudioError, FeatureMismatchError, MissingPackageError: as their readers raise them."""
    track, spec = _whole_track(clip, kind, files, [] if notes is None else notes)
    return track if clip.sound_rows is None else track.at_rows(clip.sound_rows), spec


def track_of(clip: TrainingClip, spec: FeatureSpec) -> AudioTrack:
    """The track of all frames of `clip` as `spec`, of features that are computed here, makes it.
    Errors as `training_track`."""
    track = track_from_waveform(sound_of(clip, []), spec)
    return track if clip.sound_rows is None else track.at_rows(clip.sound_rows)


def _whole_track(
    clip: TrainingClip, kind: str, files: Sequence[Path], notes: list[str]
) -> tuple[AudioTrack, FeatureSpec]:
    """The track of the sound, whose rows frames with an aud_id of their own choose from."""
    if kind in FILE_KINDS:
        track, spec = track_from_files(clip, kind, files)
        _compare(len(track), clip, notes)
        return AudioTrack(track.windows[: clip.sound_length]), spec
    if kind not in SOUND_KINDS:
        known = ", ".join((*SOUND_KINDS, *FILE_KINDS))
        raise ArgumentError(f"features {kind!r} are unknown; choose one of {known}")
    if files:
        raise ArgumentError(
            f"{kind} features are computed from the sound; leave the .npy files out"
        )
    waveform = sound_of(clip, notes)
    raw = SOUND_KINDS[kind]()
    stats = clip.folder / STATS_FILE
    if kind == logmel.KIND and stats.exists():
        spec = choose_features(kind, raw.dim, clip.folder)
        return track_from_waveform(waveform, spec), spec
    track = track_from_waveform(waveform, raw)
    spec = fixed(raw, _own_steps(track, raw, clip.rows_in_sound(clip.train_rows)))
    return _normalised(track, spec), spec


def shortened(track: AudioTrack, spec: FeatureSpec, window: int) -> tuple[AudioTrack, FeatureSpec]:
    """Track and spec with windows of `window` steps around the same centres; unchanged if the
    windows are not longer than that."""
    cut = (spec.window - window) // 2
    if cut <= 0:
        return track, spec
    part = slice(cut, cut + window)
    outside = None if track.outside is None else track.outside[part]
    windows = np.ascontiguousarray(track.windows[:, part])
    shorter = AudioTrack(windows, outside, track.margin)
    return shorter, replace(spec, window=window, pad=spec.pad - cut)


def sound_of(clip: TrainingClip, notes: list[str]) -> Waveform:
    """The sound of all rows. DatasetError if there is none, if it is silent over the training rows
    or if it ends far too early."""
    if clip.sound is None:
        raise DatasetError(
            f"{clip.folder} has no aud.wav; put the clip's sound there, or give features as .npy"
        )
    samples = _read(clip.sound, notes)
    if clip.sound_more is None:
        _compare(len(samples) / SAMPLES_PER_ROW, clip, notes)
    else:
        start = clip.more_start * SAMPLES_PER_ROW
        joined = np.zeros(start, np.float32)
        joined[: len(samples)] = samples[:start]
        _compare(len(samples) / SAMPLES_PER_ROW, clip, notes, clip.more_start)
        samples = np.concatenate([joined, _read(clip.sound_more, notes)])
        _compare(len(samples) / SAMPLES_PER_ROW, clip, notes)
    samples = samples[: clip.sound_length * SAMPLES_PER_ROW]
    last = max(clip.rows_in_sound(clip.train_rows))
    trained = samples[: (last + 1) * SAMPLES_PER_ROW]
    if not len(trained) or np.ptp(trained) < SILENT:
        raise DatasetError(f"{clip.sound} is silent; a mouth cannot be learnt without its sound")
    return Waveform(samples)


def _read(path: Path, notes: list[str]) -> Float32:
    waveform = load_waveform(path)
    notes += [f"{path.name}: {note}" for note in waveform.notes]
    return waveform.samples


def _compare(rows: float, clip: TrainingClip, notes: list[str], wanted: int | None = None) -> None:
    """Note a sound that is shorter or longer than the frames. DatasetError if it is far shorter, or
    if the frames seem to have another rate than 25."""
    wanted = clip.sound_length if wanted is None else wanted
    apart = (rows - wanted) / ROW_RATE
    lasts = (
        f"{clip.folder}: the sound lasts {rows / ROW_RATE:.1f} s and {wanted} frames last "
        f"{wanted / ROW_RATE:.1f} s at {ROW_RATE:g} a second"
    )
    rate = likely_rate(wanted, rows) if abs(apart) > FEW else None
    if rate is not None:
        raise DatasetError(
            f"{lasts}: the video seems to have been cut into frames at {rate:g} a second; cut it "
            f"again at {ROW_RATE:g} (ffmpeg -i VIDEO -vf fps={ROW_RATE:g} ...), or give the sound "
            "of these frames alone"
        )
    if rows < ENOUGH * wanted:
        raise DatasetError(
            f"{lasts}; was the video cut into frames at {ROW_RATE:g} a second, and is it the same "
            "clip?"
        )
    if rows < wanted - EXACT:
        notes.append(f"the sound ends {-apart:.1f} s before the frames: the last ones get silence")
    elif rows > wanted + EXACT:
        notes.append(f"the sound lasts {apart:.1f} s longer than the frames: its end is not used")


def _own_steps(track: AudioTrack, spec: FeatureSpec, rows: Sequence[int]) -> Float32:
    """(T, D) the steps that begin in each of `rows`, taken from the windows, so that no extractor
    computes a step twice."""
    inside = [row + track.margin for row in rows if row < len(track)]
    return track.windows[inside, spec.pad : spec.pad + spec.stride].reshape(-1, spec.dim)


def _normalised(track: AudioTrack, spec: FeatureSpec) -> AudioTrack:
    """A track of raw steps, normalised by `spec`, the values outside the sound included."""
    outside = None if track.outside is None else normalise(track.outside, spec)
    return AudioTrack(normalise(track.windows, spec), outside, track.margin)
