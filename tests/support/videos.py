"""Writes videos for the tests: rotated ones as from a phone, other rates, broken ones."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from core.prepare.video.container import Film
from core.prepare.video.picture import Converter

Retime = Callable[[str, float], float | None]

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "talker_small.mp4"


def pictures(path: Path = GOLDEN) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def tone(seconds: float, rate: int, channels: int = 1) -> np.ndarray:
    """(channels, n) a tone with a click at half a second."""
    time = np.arange(round(seconds * rate)) / rate
    samples = 0.2 * np.sin(2 * np.pi * 220 * time)
    samples[round(0.5 * rate) : round(0.51 * rate)] = 0.9
    return np.tile(samples.astype(np.float32), (channels, 1))


def write(
    path: Path,
    frames: Iterable[np.ndarray],
    sound: np.ndarray | None,
    *,
    rate: int = 25,
    sound_rate: int = 48000,
    times: Iterable[float] | None = None,
    codec: str = "mpeg4",
    sound_codec: str = "aac",
    retime: Retime = lambda kind, seconds: seconds,
    video_options: dict[str, str] | None = None,
) -> Path:
    """frames (H, W, 3) uint8; sound (channels, n) float32 or None; times: seconds of each frame,
    else at `rate`. retime(kind, seconds): when a packet of "video" or "audio" is to be played, None
    to leave it out."""
    frames = list(frames)
    with av.open(str(path), "w") as container:

        def mux(packets: Iterable[av.Packet]) -> None:
            for packet in packets:
                if packet.pts is None:
                    continue
                base, kind = packet.time_base, packet.stream.type
                now = float(packet.pts * base)
                new = retime(kind, now)
                if new is not None:
                    shift = round((new - now) / base)
                    packet.pts += shift
                    packet.dts = (packet.dts or 0) + shift
                    container.mux(packet)

        video = container.add_stream(codec, rate=rate, options=video_options)
        video.height, video.width = frames[0].shape[:2]
        video.pix_fmt = "yuv420p"
        video.bit_rate = 4_000_000
        if times is not None:
            video.codec_context.time_base = Fraction(1, 1000)
        audio = None
        if sound is not None:
            layout = "mono" if len(sound) == 1 else "stereo"
            audio = container.add_stream(sound_codec, rate=sound_rate, layout=layout)
        stamps = None if times is None else [round(1000 * time) for time in times]
        for index, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            if stamps is not None:
                frame.pts, frame.time_base = stamps[index], Fraction(1, 1000)
            mux(video.encode(frame))
        mux(video.encode())
        if audio is not None and sound is not None:
            for begin in range(0, sound.shape[1], 1024):
                part = np.ascontiguousarray(sound[:, begin : begin + 1024])
                piece = av.AudioFrame.from_ndarray(part, format="fltp", layout=audio.layout.name)
                piece.sample_rate = sound_rate
                piece.pts, piece.time_base = begin, Fraction(1, sound_rate)
                mux(audio.encode(piece))
            mux(audio.encode())
    return path


def encoded(
    path: Path, images: list[Any], codec: str = "libx264", pixel: str = "yuv420p",
    options: dict[str, str] | None = None, **tags: Any,
) -> Path:  # fmt: skip
    """images: PyAV's frames; tags: of the encoder."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = images[0].width, images[0].height, pixel
        for name, value in tags.items():
            setattr(stream.codec_context, name, value)
        for index, image in enumerate(images):
            image.pts, image.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(image))
        container.mux(stream.encode())
    return path


def turn(path: Path, quarters: int, *, mirrored: bool = False) -> None:
    """Write into an .mp4 file that its pictures are to be shown turned clockwise, as phones do, or
    first mirrored left to right, as front cameras do."""
    matrices = {0: (1, 0, 0, 1), 1: (0, 1, -1, 0), 2: (-1, 0, 0, -1), 3: (0, -1, 1, 0)}
    a, b, c, d = (65536 * value for value in matrices[quarters])
    if mirrored:
        a, b = -a, -b
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4
    assert data[at] == 0, "only version 0 is known here"
    data[at + 40 : at + 76] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)


def whole(film: Film, frame: Any) -> np.ndarray:
    """(H, W, 3) the whole upright picture of PyAV's frame."""
    return Converter(film, film.width, film.height)(frame)
