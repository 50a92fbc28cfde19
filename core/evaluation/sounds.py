"""The sound of a dataset's frames: the audio track for an avatar, and its loudness."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..audio.features import track_for
from ..audio.files import load_waveform
from ..dataset.load import TrainingClip
from ..dataset.sound_npy import FILE_KINDS
from ..errors import DatasetError, FeatureMismatchError
from ..records.arrays import Float64
from ..records.audio_track import AudioTrack
from ..records.avatar import Avatar
from ..records.timeline import ROW_RATE
from ..records.voice import RATE, Waveform

FLOOR = 1e-4  # lowest root mean square, -80 dB
STEP = int(RATE / ROW_RATE)  # samples a row
SILENT_AT = 1.0  # seconds; the middle of the silent track, far from its ends


@dataclass(frozen=True, eq=False)
class Voice:
    """track: its row k belongs to frame first + k. waveform: None if only computed features are
    available. source: the files' names. order: the row of the waveform at each row of the track,
    None if it is the same."""

    track: AudioTrack
    first: int
    waveform: Waveform | None
    source: str
    order: NDArray[np.int64] | None = None

    def seconds(self, row: int) -> float:
        return (row - self.first) / ROW_RATE

    def loudness(self, rows: tuple[int, ...]) -> Float64:
        """(R,) dB of full scale at each frame; NaN without a waveform."""
        if self.waveform is None:
            return np.full(len(rows), np.nan)
        places = np.array(rows) - self.first
        return loudness(self.waveform, places if self.order is None else self.order[places])


def loudness(waveform: Waveform, rows: NDArray[np.integer]) -> Float64:
    """(R,) dB of full scale, at least -80: root mean square of the 80 ms around each row (row k is
    at k / 25 s), with silence before and after the sound."""
    import librosa  # takes a second

    every = librosa.feature.rms(
        y=waveform.samples, frame_length=2 * STEP, hop_length=STEP, pad_mode="constant"
    )[0]
    here = (rows >= 0) & (rows < len(every))
    found = np.where(here, every[np.clip(rows, 0, len(every) - 1)], 0.0)
    return np.asarray(20 * np.log10(np.maximum(found, FLOOR)))


def voice_of(avatar: Avatar, clip: TrainingClip, rows: tuple[int, ...], split: bool) -> Voice:
    """The dataset's own sound at `rows` (all in aud.wav's part of the clip, or all in the frames
    after it) with the track for the avatar; computed features if the avatar's cannot be computed
    here. split: silence outside the rows, as in the official loader for a held-out part.
    DatasetError if the dataset has neither a sound nor features that fit."""
    if avatar.features is None:
        return Voice(track_for(avatar, None), 0, _sound(clip, rows)[1], "none")
    first, waveform, source = _sound(clip, rows)
    track = None
    if waveform is not None:
        try:
            track = track_for(avatar, waveform)
        except FeatureMismatchError:
            track = None
    if track is None:
        first, track, source = _ready(avatar, clip, rows)
    order = clip.sound_rows if first == 0 else None
    if order is not None:
        track = track.at_rows(order)
    if split:
        track = _cut(track, rows[0] - first, rows[-1] + 1 - first)
        if order is not None:
            return Voice(track, rows[0], waveform, f"{source}, split", order[rows[0] :])
        return Voice(track, rows[0], _cut_sound(waveform, first, rows), f"{source}, split")
    return Voice(track, first, waveform, source, order)


def _sound(clip: TrainingClip, rows: tuple[int, ...]) -> tuple[int, Waveform | None, str]:
    """(frame at which it begins, waveform, name). The sound of later frames is appended to the
    first one if it follows without a gap, so that windows reach across."""
    whole = load_waveform(clip.sound) if clip.sound is not None else None
    name = clip.sound.name if clip.sound is not None else ""
    if not clip.more_rows or rows[-1] < clip.more_rows[0] or clip.sound_more is None:
        return 0, whole, name
    first, more = clip.more_rows[0], load_waveform(clip.sound_more)
    if whole is not None and len(whole) == first * STEP:
        joined = Waveform(np.concatenate([whole.samples, more.samples]))
        return 0, joined, f"{name} + {clip.sound_more.name}"
    if rows[0] < first:
        raise DatasetError(
            f"frames {rows[0]} to {rows[-1]} belong to two sounds with a gap between them; "
            f"evaluate the frames before {first} and those from {first} on separately"
        )
    return first, more, clip.sound_more.name


def _ready(
    avatar: Avatar, clip: TrainingClip, rows: tuple[int, ...]
) -> tuple[int, AudioTrack, str]:
    assert avatar.features is not None
    later = bool(clip.more_rows) and rows[0] >= clip.more_rows[0]
    kind = avatar.features.kind
    own = FILE_KINDS.get(kind, ())
    for name in (*own, *(name for names in FILE_KINDS.values() for name in names)):
        path = clip.folder / name
        if later:
            path = path.with_stem(f"{path.stem}_more")
        if not path.is_file():
            continue
        try:
            track = track_for(avatar, path)
        except FeatureMismatchError:
            continue
        return (clip.more_rows[0] if later else 0), track, path.name
    raise DatasetError(
        f"{clip.folder} has no audio features that fit the avatar, which needs "
        f"{kind} of {avatar.features.dim} values; add them as {(*own, 'aud_ds.npy')[0]}"
    )


def _cut(track: AudioTrack, start: int, stop: int) -> AudioTrack:
    inside = track.windows[track.margin + start : track.margin + stop]
    return AudioTrack(np.ascontiguousarray(inside), track.outside)


def _cut_sound(waveform: Waveform | None, first: int, rows: tuple[int, ...]) -> Waveform | None:
    if waveform is None:
        return None
    start, stop = ((row - first) * STEP for row in (rows[0], rows[-1] + 1))
    return Waveform(waveform.samples[start:stop])


def silent_track(avatar: Avatar, voice: Voice) -> AudioTrack:
    """The track of digital silence, to be used at SILENT_AT; if the features cannot be computed
    here, an empty track with the values outside the voice's."""
    if avatar.features is not None and voice.waveform is not None:
        try:
            quiet = np.zeros(int(2 * SILENT_AT * RATE), np.float32)
            return track_for(avatar, Waveform(quiet))
        except FeatureMismatchError:
            pass
    return AudioTrack(voice.track.windows[:0], voice.track.outside)
