"""Turns a voice into the track that an avatar needs; every engine and command calls this."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import TypeGuard

import numpy as np

from ..errors import ArgumentError
from ..records.audio_track import MARGIN, AudioTrack
from ..records.avatar import Avatar
from ..records.feature_spec import FeatureSpec
from ..records.voice import AnyVoice, Voice, Waveform, rows_of_samples
from ..system.steps import finished
from .extractor import extractor_of
from .files import decoded, sound_length
from .mouth import mouth_track
from .npy import rows_of_npy, track_from_npy
from .samples import samples_of
from .windows import Part, normalise, steps_of, windowed

FEATURE_SUFFIX = ".npy"
NO_SOUND = "has no sound; link a strip or a file to it (on the command line: --audio)"


def track_for(avatar: Avatar, voice: AnyVoice) -> AudioTrack:
    """The voice as the features that this avatar was trained on. A still needs no voice: its track
    has no rows. ArgumentError (no voice), AudioError, FeatureMismatchError."""
    return finished(track_pieces(avatar, voice))


def track_pieces(
    avatar: Avatar, voice: AnyVoice, wanted: range | None = None
) -> Generator[float, None, AudioTrack]:
    """`track_for` piece by piece: yields the share that is done, in [0, 1], returns the track.
    wanted: rows; only these, bit for bit, are computed where that saves work. They may lie outside
    the sound."""
    spec = avatar.features
    if spec is None:
        return AudioTrack(np.zeros((0, 1, 1), np.float32))
    if isinstance(voice, AudioTrack):
        return voice
    if voice is None:
        raise ArgumentError(f"avatar {avatar.name!r} {NO_SOUND}")
    return (yield from _pieces(voice, spec, wanted))


def counted(avatar: Avatar, voice: AnyVoice) -> tuple[AnyVoice, int]:
    """The voice, decoded if only that gives its length, and the number of rows that `track_for`
    will return; features are not computed. Errors as track_for."""
    spec = avatar.features
    if spec is None:
        return None, 0
    if voice is None:
        raise ArgumentError(f"avatar {avatar.name!r} {NO_SOUND}")
    if isinstance(voice, AudioTrack):
        return voice, len(voice)
    if is_feature_file(voice):
        return voice, rows_of_npy(voice, spec)
    extractor_of(spec)  # raises its errors before anything is opened
    length = sound_length(voice)
    if length is None:
        voice = decoded(voice)
        return voice, voice.rows
    return voice, rows_of_samples(length)


def track_from_waveform(waveform: Waveform, spec: FeatureSpec) -> AudioTrack:
    """The track of a sound of any length (rows: Waveform.rows), none for an empty sound.
    FeatureMismatchError if the avatar was not trained on features as computed here."""
    return finished(_pieces(waveform, spec))


def is_feature_file(voice: AnyVoice) -> TypeGuard[Path]:
    """True for a file of computed features (.npy), False for a sound."""
    return isinstance(voice, Path) and voice.suffix.lower() == FEATURE_SUFFIX


def _pieces(
    voice: Voice, spec: FeatureSpec, wanted: range | None = None
) -> Generator[float, None, AudioTrack]:
    if is_feature_file(voice):
        return track_from_npy(voice, spec)
    extractor = extractor_of(spec)  # raises its errors before anything is decoded
    yield 0.0
    samples, notes = samples_of(voice, whole=wanted is None)
    rows = rows_of_samples(len(samples))
    if wanted is None or not rows or spec.normalisation == "clip":
        # The mean of a clip is that of all of it.
        steps = yield from extractor.pieces(samples)
        part = None
    else:
        # Rows farther out hear nothing of the sound.
        ends = (wanted.start, wanted.stop - 1)
        first, last = (min(max(row, -MARGIN), rows - 1 + MARGIN) for row in ends)
        inside = range(first, last + 1)
        needed = steps_of(inside, spec, extractor.count(len(samples)))
        steps = yield from extractor.pieces(samples, needed)
        part = Part(inside, needed.start)
    outside = None
    if spec.outside == "silence":
        outside = normalise(extractor.silence()[None], spec, clip=steps)[0]
    track = windowed(normalise(steps, spec), spec, rows, outside, part)
    return replace(mouth_track(track, spec), notes=notes)
