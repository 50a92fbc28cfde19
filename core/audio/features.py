"""Turns a voice into the track that an avatar needs; every engine and command calls this."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TypeGuard

import numpy as np

from ..errors import ArgumentError
from ..records.audio_track import AudioTrack
from ..records.avatar import Avatar
from ..records.feature_spec import FeatureSpec
from ..records.timeline import ROW_RATE
from ..records.voice import RATE, AnyVoice, Voice, Waveform
from ..system.steps import finished
from .extractor import extractor_of
from .files import decoded, sound_length
from .npy import rows_of_npy, track_from_npy
from .windows import normalise, windowed

FEATURE_SUFFIX = ".npy"
NO_SOUND = "has no sound; link a strip or a file to it (on the command line: --audio)"


def track_for(avatar: Avatar, voice: AnyVoice) -> AudioTrack:
    """The voice as the features that this avatar was trained on. A still needs no voice: its track
    has no rows. ArgumentError (no voice), AudioError, FeatureMismatchError."""
    return finished(track_pieces(avatar, voice))


def track_pieces(avatar: Avatar, voice: AnyVoice) -> Generator[float, None, AudioTrack]:
    """`track_for` piece by piece: yields the share that is done, in [0, 1], returns the track."""
    spec = avatar.features
    if spec is None:
        return AudioTrack(np.zeros((0, 1, 1), np.float32))
    if isinstance(voice, AudioTrack):
        return voice
    if voice is None:
        raise ArgumentError(f"avatar {avatar.name!r} {NO_SOUND}")
    return (yield from _pieces(voice, spec))


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
    return voice, -(-length * int(ROW_RATE) // RATE)


def track_from_waveform(waveform: Waveform, spec: FeatureSpec) -> AudioTrack:
    """The track of a sound of any length (rows: Waveform.rows), none for an empty sound.
    FeatureMismatchError if the avatar was not trained on features as computed here."""
    return finished(_pieces(waveform, spec))


def is_feature_file(voice: AnyVoice) -> TypeGuard[Path]:
    """True for a file of computed features (.npy), False for a sound."""
    return isinstance(voice, Path) and voice.suffix.lower() == FEATURE_SUFFIX


def _pieces(voice: Voice, spec: FeatureSpec) -> Generator[float, None, AudioTrack]:
    if is_feature_file(voice):
        return track_from_npy(voice, spec)
    extractor = extractor_of(spec)  # raises its errors before anything is decoded
    yield 0.0
    waveform = decoded(voice)
    steps = yield from extractor.pieces(waveform.samples)
    outside = None
    if spec.outside == "silence":
        outside = normalise(extractor.silence()[None], spec, clip=steps)[0]
    return windowed(normalise(steps, spec), spec, waveform.rows, outside)
