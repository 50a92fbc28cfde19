"""The features of a voice on their own thread, so that a bake can report and stop meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Generator

from ..audio.features import track_pieces
from ..records.audio_track import AudioTrack
from ..records.avatar import Avatar
from ..records.voice import AnyVoice

TICK = 0.02  # seconds between two looks at the thread


class _Work:
    """share: of the features that is computed, None before the first piece."""

    def __init__(self, avatar: Avatar, voice: AnyVoice) -> None:
        self.share: float | None = None
        self.track: AudioTrack | None = None
        self.error: BaseException | None = None
        self.ended, self.abandoned = threading.Event(), threading.Event()
        thread = threading.Thread(
            target=self._run, args=(avatar, voice), name="egstalker-features", daemon=True
        )
        thread.start()

    def _run(self, avatar: Avatar, voice: AnyVoice) -> None:
        pieces = track_pieces(avatar, voice)
        try:
            while not self.abandoned.is_set():
                self.share = next(pieces)
        except StopIteration as end:
            self.track = end.value
        except BaseException as error:  # raised again where the track is waited for
            self.error = error
        self.ended.set()


def track_in_background(
    avatar: Avatar, voice: AnyVoice
) -> Generator[float | None, None, AudioTrack]:
    """`track_for`, yielding every TICK seconds the share that is done (None before the first piece)
    and returning the track. Closing it abandons the work, which ends after the piece in hand.
    Errors as track_for."""
    work = _Work(avatar, voice)
    try:
        while not work.ended.wait(TICK):
            yield work.share
    finally:
        work.abandoned.set()
    if work.error is not None:
        raise work.error
    assert work.track is not None
    return work.track
