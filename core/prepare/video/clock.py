"""A film's pictures by their time stamps. Times count from the film's zero, its first picture."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...errors import VideoError
from ..options import FPS, MAX_SECONDS
from .container import Film, decoded, opened, usual_gap
from .deinterlace import Timed, progressive

BEFORE = 1.0  # seconds before a part at which decoding begins
LEAST_SEEK = 5.0  # seconds; a part that begins earlier is reached by decoding


def frames(
    film: Film, start: float, seconds: float | None, first: int = 0, combed: bool = False
) -> Iterator[tuple[Any, bool]]:
    """The pictures at 25 a second from `start` on: for each 1/25 s the picture nearest to it, as
    PyAV's frame, and whether it is the same as the one before. Works for any rate, also a variable
    one; nothing is kept in memory. A later part is sought, not decoded from the beginning on.
    first: how many pictures to leave out. combed: the pictures are interlaced and do not say so."""
    limit = MAX_SECONDS if seconds is None else seconds
    index, last, last_time, shown = first, None, 0.0, False
    for time, frame in progressive(_from(film, start + first / FPS), combed):
        if last is not None:
            # The last picture is nearest until half way to this one.
            while start + index / FPS < (last_time + time) / 2:
                if index / FPS >= limit - 1e-9:
                    if seconds is None:
                        raise VideoError(
                            f"{film.path} is longer than {MAX_SECONDS / 60:.0f} minutes; take a "
                            "part with --start and --seconds"
                        )
                    return
                yield last, shown
                shown = True
                index += 1
        last, last_time, shown = frame, time, False
    shows = last is not None and start + index / FPS <= last_time + 0.5 / FPS
    if shows and index / FPS < limit - 1e-9:
        yield last, shown


def _from(film: Film, start: float) -> Iterator[Timed]:
    """Pictures from `start` or earlier on."""
    if start >= LEAST_SEEK:
        found = _timed(film, start - BEFORE)
        first = next(found, None)
        if first is not None and first[0] <= start:
            yield first
            yield from found
            return
    yield from _timed(film, None)


def _timed(film: Film, seek: float | None) -> Iterator[Timed]:
    """(time, picture), times increasing. A picture without a time follows the one before at the
    usual interval. Nothing comes if the file cannot seek."""
    import av

    gap = usual_gap(film)
    with opened(film.path) as container:
        stream = container.streams[film.stream]
        if seek is not None:
            try:
                container.seek(int((film.zero + seek) / stream.time_base), stream=stream)
            except av.FFmpegError:
                return
        last: float | None = None
        for frame in decoded(container, stream, film.path):
            if frame.time is not None:
                now = frame.time - film.zero
            elif last is not None or seek is None:
                now = 0.0 if last is None else last + gap
            else:
                return  # after a seek only a time tells where this is
            if last is None or now > last:
                yield now, frame
                last = now
        _check_end(film, stream, -gap if last is None else last, gap)


def _check_end(film: Film, stream: Any, last: float, gap: float) -> None:
    """VideoError if the header promises much more than there is."""
    if not stream.duration:
        return
    begin = film.zero if stream.start_time is None else stream.start_time * stream.time_base
    promised = float(begin + stream.duration * stream.time_base) - film.zero
    if last + gap < 0.9 * promised - 0.5:
        raise VideoError(
            f"{film.path} is cut off: its header promises {promised:.1f} s of pictures and "
            f"{last + gap:.1f} s are there; copy it again, or take a part with --seconds"
        )
