"""A sound track's decoded pieces, each at its own time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...audio.encoder_delay import MP3
from ...audio.waveform import check_layout
from ...errors import AudioError, VideoError
from ...records.arrays import Float32
from .container import Film, decoded, opened

BEFORE = 1.0  # seconds before a part at which decoding begins: decoders need some history
LEAST_SEEK = 5.0  # seconds; a part that begins earlier is reached by decoding


@dataclass(frozen=True, eq=False)
class Piece:
    """time: seconds of the first sample since the film's zero. samples (n, channels) at `rate` Hz.
    names: libav's short name of each channel: FL, FR, FC, LFE and so on. rate and channels are the
    same in all pieces of a track."""

    time: float
    samples: Float32
    rate: int
    names: tuple[str, ...]


def pieces(film: Film, stream: int, start: float, stop: float) -> Iterator[Piece]:
    """The pieces that touch the time from `start` to `stop`, and some before. stream: its index.
    VideoError if samples cannot be used."""
    if start >= LEAST_SEEK:
        found = _decoded(film, stream, stop, start - BEFORE)
        first = next(found, None)
        if first is not None and first.time <= start:
            yield first
            yield from found
            return
    yield from _decoded(film, stream, stop, None)


def _decoded(film: Film, index: int, stop: float, seek: float | None) -> Iterator[Piece]:
    import av

    with opened(film.path) as container:
        stream = container.streams[index]
        # An AVI file alone cannot say how much an encoder put before the sound.
        unsaid = (
            MP3 if container.format.name == "avi" and stream.codec.name.startswith("mp3") else 0
        )
        if seek is not None:
            try:
                container.seek(int((film.zero + seek) / stream.time_base), stream=stream)
            except av.FFmpegError:
                return
        converters: dict[tuple[str, str, int], Any] = {}
        rate, layout = 0, None
        names: tuple[str, ...] = ()
        end = 0.0 if seek is None else None
        for frame in decoded(container, stream, film.path):
            if not rate:
                rate, layout = frame.sample_rate, frame.layout
                names = tuple(one.name for one in layout.channels)
                _check(film, frame)
            if frame.pts is not None:
                time = float(frame.pts * frame.time_base) - film.zero - unsaid / rate
            elif end is not None:
                time = end
            else:
                return  # after a seek only a time tells where this is
            # A decoder may change its rate or layout on the way; the first ones stay.
            key = (frame.format.name, frame.layout.name, frame.sample_rate)
            if key not in converters:
                converters[key] = av.AudioResampler(format="fltp", layout=layout, rate=rate)
            frame.pts = None
            parts = [part.to_ndarray() for part in converters[key].resample(frame)]
            if not parts:
                continue
            samples = np.concatenate(parts, 1).T
            if not np.isfinite(samples).all():
                samples = np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)
            yield Piece(time, samples, rate, names)
            end = time + len(samples) / rate
            if end > stop:
                return


def _check(film: Film, frame: Any) -> None:
    try:
        check_layout(1, len(frame.layout.channels), frame.sample_rate, film.path.name)
    except AudioError as error:
        raise VideoError(str(error)) from None
