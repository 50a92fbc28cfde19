"""Computes the features of a voice on another thread, so that a bake can report and stop
meanwhile."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Generator, Sequence

from ..audio.features import track_pieces
from ..errors import CancelledError
from ..records.audio_track import AudioTrack
from ..records.avatar import Avatar
from ..records.progress import Progress
from ..records.timeline import row_of_seconds
from ..records.voice import AnyVoice
from ..system.steps import in_background

COMPUTING = "computing sound features"


def track_in_background(
    avatar: Avatar, voice: AnyVoice, wanted: range | None = None
) -> Generator[float | None, None, AudioTrack]:
    """`track_for` on another thread, which yields the share that is done every steps.TICK seconds
    (None before the first piece) and returns the track; `wanted` as for track_pieces. Closing it
    abandons the work, which ends after the current piece. Errors as track_for."""
    share: list[float] = []

    def work(abandoned: threading.Event) -> AudioTrack:
        pieces = track_pieces(avatar, voice, wanted)
        while not abandoned.is_set():
            try:
                share[:] = [next(pieces)]
            except StopIteration as end:
                track: AudioTrack = end.value
                return track
        raise CancelledError("the features are no longer needed")

    with contextlib.closing(in_background(work)) as steps:
        while True:
            try:
                next(steps)
            except StopIteration as end:
                track: AudioTrack = end.value
                return track
            yield share[0] if share else None


def track_of_frames(
    avatar: Avatar, voice: AnyVoice, seconds: Sequence[float], total: int
) -> Generator[Progress, None, AudioTrack]:
    """The track of the voice, for moments at those seconds; the progress of `total` frames notes
    the computed share in steps of 10 %."""
    shown = None
    rows = [row_of_seconds(time)[0] for time in seconds]
    wanted = range(min(rows), max(rows) + 2)  # between two rows, both are needed
    with contextlib.closing(track_in_background(avatar, voice, wanted)) as steps:
        while True:
            try:
                share = next(steps)
            except StopIteration as end:
                track: AudioTrack = end.value
                if track.notes:
                    yield Progress(0, total, note="; ".join(track.notes))
                return track
            tenth = None if share is None else int(10 * share)
            note = "" if tenth is None or tenth == shown else f"{COMPUTING} {10 * tenth} %"
            shown = tenth
            yield Progress(0, total, note=note)
