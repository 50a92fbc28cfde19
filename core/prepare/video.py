"""The pictures and the sound of a video file. Needs PyAV, whose wheels include the decoders."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..audio.waveform import from_samples, mono
from ..errors import AudioError, MissingPackageError, VideoError
from ..records.arrays import Float32
from ..records.voice import RATE, Waveform
from .options import FPS, INSTALL, MAX_SECONDS
from .pictures import Pixels

MAX_PIXELS = 8192 * 4352  # of one picture
LOUD = 10 ** (-50 / 20)  # of full scale; quieter blocks count as silence
MIN_LOUD = 0.03  # of the blocks


@dataclass(frozen=True)
class Facts:
    """width, height: pixels of the upright pictures. rate: pictures a second on average, 0 if
    unknown. turned: degrees by which the stored pictures are turned."""

    width: int
    height: int
    rate: float
    turned: int


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """PyAV's container. VideoError if the file is not a video or is damaged, MissingPackageError if
    PyAV is not installed."""
    try:
        import av
    except ImportError:
        raise MissingPackageError(f"preparing a video needs PyAV: {INSTALL}") from None
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise VideoError(f"{path} has no pictures; give a video file")
            yield container
    except av.FFmpegError as error:
        text = error.strerror or type(error).__name__
        raise VideoError(
            f"{path} cannot be decoded ({text}); it is not a video, or it is cut off or damaged"
        ) from None


def facts_of(path: Path) -> Facts:
    """Size, rate and turn of the pictures."""
    with opened(path) as container:
        stream = container.streams.video[0]
        for frame in container.decode(stream):
            width, height, quarter = frame.width, frame.height, _quarters(frame)
            if width * height > MAX_PIXELS:
                raise VideoError(f"{path} has pictures of {width}x{height}; make it smaller")
            if quarter % 2:
                width, height = height, width
            rate = float(stream.average_rate or 0)
            return Facts(width, height, rate, 90 * quarter)
    raise VideoError(f"{path} contains no picture; record or copy the video again")


def _quarters(frame: Any) -> int:
    """Quarter turns counter-clockwise that put a phone's picture upright."""
    return round(getattr(frame, "rotation", 0) / 90) % 4


def pixels_of(frame: Any) -> Pixels:
    """(H, W, 3) RGB, upright."""
    return np.ascontiguousarray(np.rot90(frame.to_ndarray(format="rgb24"), _quarters(frame)))


def _timed(container: Any, path: Path) -> Iterator[tuple[float, Any]]:
    """(seconds since the first picture, picture). A picture without a time follows the one before
    at the usual interval."""
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    gap = 1 / float(stream.average_rate or FPS)
    first: float | None = None
    last = -gap
    for frame in container.decode(stream):
        time = frame.time
        if first is None:
            first = float(time or 0.0)
        now = last + gap if time is None else time - first
        if now > last:
            yield now, frame
            last = now
    promised = float(stream.duration * stream.time_base) if stream.duration else 0.0
    if last + gap < 0.9 * promised - 0.5:
        raise VideoError(
            f"{path} is cut off: its header promises {promised:.1f} s of pictures and "
            f"{last + gap:.1f} s are there; copy it again, or take a part with --seconds"
        )


def frames(path: Path, start: float, seconds: float | None) -> Iterator[tuple[Any, bool]]:
    """The pictures at 25 a second from `start` on: for each 1/25 s the picture nearest to it, as
    PyAV's frame, and whether it is the same as the one before. Works for any rate, also a variable
    one; nothing is kept in memory."""
    limit = MAX_SECONDS if seconds is None else seconds
    with opened(path) as container:
        index, last, last_time, shown = 0, None, 0.0, False
        for time, frame in _timed(container, path):
            if last is not None:
                # The last picture is nearest until half way to this one.
                while start + index / FPS < (last_time + time) / 2:
                    if index / FPS >= limit - 1e-9:
                        if seconds is None:
                            raise VideoError(
                                f"{path} is longer than {MAX_SECONDS / 60:.0f} minutes; take a "
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


def sound(path: Path, start: float, count: int) -> Waveform:
    """The sound of `count` frames from `start` on, mono, 16 kHz, in step with the pictures, silence
    where there is none. VideoError: no sound, or silence."""
    with opened(path) as container:
        if not container.streams.audio:
            raise VideoError(f"{path} has no sound; give a video with the person's voice")
        video = container.streams.video[0]
        zero = float((video.start_time or 0) * video.time_base) + start
        samples, rate, begin = _samples(container, path)
    offset = round((begin - zero) * rate)
    wanted = int(np.ceil(count / FPS * rate)) + 1
    placed = np.zeros(wanted, np.float32)
    lo, hi = max(offset, 0), min(offset + len(samples), wanted)
    if lo < hi:
        placed[lo:hi] = samples[lo - offset : hi - offset]
    try:
        whole = from_samples(placed, rate, path.name).samples
    except AudioError as error:
        raise VideoError(str(error)) from None
    out = np.zeros(count * RATE // FPS, np.float32)
    out[: min(len(out), len(whole))] = whole[: len(out)]
    blocks = out[: len(out) // 320 * 320].reshape(-1, 320)
    loud = float((np.sqrt((blocks**2).mean(1)) > LOUD).mean()) if len(blocks) else 0.0
    if loud < MIN_LOUD:
        raise VideoError(
            f"{path} is silent ({100 * loud:.0f} % of it is louder than -50 dB); give a video in "
            "which the person speaks"
        )
    return Waveform(out)


def _samples(container: Any, path: Path) -> tuple[Float32, int, float]:
    """Mono samples, their rate, seconds of the first one."""
    import av

    stream = container.streams.audio[0]
    rate = stream.rate
    resampler = av.AudioResampler(format="fltp", rate=rate)
    parts: list[Float32] = []
    begin: float | None = None
    length = 0
    for frame in container.decode(stream):
        if begin is None:
            begin = float(frame.time or 0.0)
        for piece in resampler.resample(frame):
            parts.append(mono(piece.to_ndarray().T, path.name))
            length += len(parts[-1])
            if length > 2 * MAX_SECONDS * rate:
                break
    if begin is None or not length:
        raise VideoError(f"{path} has an empty sound track; record it again")
    return np.concatenate(parts), rate, begin
