"""Opens a video file and chooses its pictures. Needs PyAV, whose wheels include the decoders."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import MissingPackageError, VideoError
from ..options import FPS
from ..packages import INSTALL
from .colour import Colour, colour_of
from .orientation import Orientation, orientation_of

MAX_PIXELS = 8192 * 4352  # of one picture
MOST_BROKEN = 0.1  # of a stream's packets that cannot be decoded
WIDEST_PIXEL = 4.0  # width of a pixel in heights, or the inverse; beyond it the file is wrong
LIKELY_RATES = (1.0, 250.0)  # pictures a second; others are placeholders of files without a rate


@dataclass(frozen=True)
class Film:
    """What a video file says of its pictures.

    stream: index of the pictures' stream. zero: seconds of the first picture that can be decoded,
    on the file's own clock; all times of a preparation count from it. width, height: square pixels
    of the upright pictures. seconds: from the zero to the end, 0 if the file does not say. rate:
    pictures a second on average, 0 if unknown. orientation: how stored pictures are put upright.
    ratio: width of a stored pixel, in heights. notes: lines for the user about streams that are not
    used."""

    path: Path
    stream: int
    zero: float
    width: int
    height: int
    seconds: float
    rate: float
    orientation: Orientation
    ratio: float
    interlaced: bool
    colour: Colour
    notes: tuple[str, ...]


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """PyAV's container. VideoError if the file is not a video or is damaged, MissingPackageError if
    PyAV is not installed."""
    try:
        import av
    except ImportError:
        raise MissingPackageError(f"preparing a video needs PyAV: {INSTALL}") from None
    try:
        with av.open(str(path), metadata_errors="replace") as container:
            if not container.streams.video:
                raise VideoError(f"{path} has no pictures; give a video file")
            yield container
    except av.FFmpegError as error:
        text = error.strerror or type(error).__name__
        raise VideoError(
            f"{path} cannot be decoded ({text}); it is not a video, or it is cut off or damaged"
        ) from None


def decoded(container: Any, stream: Any, path: Path) -> Iterator[Any]:
    """The stream's frames. Packets that cannot be decoded are passed over, as at the beginning of a
    file that was cut between key frames. VideoError if they are many."""
    import av

    stream.thread_type = "AUTO"
    packets = broken = 0
    for packet in container.demux(stream):
        packets += 1
        try:
            found = packet.decode()
        except av.InvalidDataError:
            broken += 1
            continue
        for frame in found:
            if not frame.is_corrupt:
                yield frame
    if broken > max(1, MOST_BROKEN * packets):
        raise VideoError(
            f"{path} is damaged: {broken} of {packets} packets cannot be decoded; copy it again"
        )


def film_of(path: Path) -> Film:
    """What the file says of its pictures. VideoError if it holds none that can be used."""
    with opened(path) as container:
        stream, notes = _picture_stream(container, path)
        context = stream.codec_context
        _check_size(context.width, context.height, path)
        for frame in decoded(container, stream, path):
            _check_size(frame.width, frame.height, path)
            orientation = orientation_of(frame)
            ratio = float(stream.sample_aspect_ratio or 1)
            if not 1 / WIDEST_PIXEL <= ratio <= WIDEST_PIXEL:
                ratio = 1.0
            width, height = round(frame.width * ratio), frame.height
            if orientation.transposed:
                width, height = height, width
            zero = float(frame.time or 0.0)
            rate = float(stream.average_rate or stream.guessed_rate or 0)
            return Film(
                path=path,
                stream=stream.index,
                zero=zero,
                width=width,
                height=height,
                seconds=max(_end_of(container, stream) - zero, 0.0),
                rate=rate if LIKELY_RATES[0] <= rate <= LIKELY_RATES[1] else 0.0,
                orientation=orientation,
                ratio=ratio,
                interlaced=bool(frame.interlaced_frame),
                colour=colour_of(frame, context),
                notes=notes,
            )
    raise VideoError(f"{path} contains no picture; record or copy the video again")


def _end_of(container: Any, stream: Any) -> float:
    """Seconds on the file's clock, 0 if it does not say."""
    import av

    if stream.duration:
        return float(((stream.start_time or 0) + stream.duration) * stream.time_base)
    if container.duration:
        return ((container.start_time or 0) + container.duration) / av.time_base
    return 0.0


def _check_size(width: int, height: int, path: Path) -> None:
    if width * height > MAX_PIXELS:
        raise VideoError(f"{path} has pictures of {width}x{height}; make it smaller")


def _picture_stream(container: Any, path: Path) -> tuple[Any, tuple[str, ...]]:
    """The film's stream, and a note if there are several: no cover or thumbnails; of the rest the
    one that is marked as default, then the largest."""
    from av.stream import Disposition

    still = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
    moving = [
        stream
        for stream in container.streams.video
        if not stream.disposition & still and stream.codec_context is not None
    ]
    if not moving:
        raise VideoError(f"{path} holds only a cover picture; give a video file")

    def rank(stream: Any) -> tuple[bool, int, int]:
        context = stream.codec_context
        default = bool(stream.disposition & Disposition.default)
        return default, context.width * context.height, -stream.index

    best = max(moving, key=rank)
    if len(moving) == 1:
        return best, ()
    number = moving.index(best) + 1
    size = f"{best.codec_context.width}x{best.codec_context.height}"
    return best, (f"the file has {len(moving)} films; number {number} ({size}) is used",)


def usual_gap(film: Film) -> float:
    """Seconds between two pictures where the file does not say."""
    return 1 / (film.rate or FPS)
