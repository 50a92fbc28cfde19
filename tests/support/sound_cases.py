"""Sound files as strangers bring them, each of one sound: a tone of two seconds with a click at
half a second. It is the same by every way in: a strip, the command line, a film."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.support.sound_files import chunk, encoded, form, wav

RATE, SECONDS, CLICK = 16000, 2.0, 0.5
LATE = 0.02  # seconds that the click may be off
LEVEL = 0.2 / np.sqrt(2)  # of the tone
DECIBELS = 1.0  # that its level may be off
SOUNDS = Path(__file__).parents[1] / "golden" / "sounds"


def sound(rate: int = RATE) -> NDArray[np.float64]:
    time = np.arange(round(SECONDS * rate)) / rate
    samples = 0.2 * np.sin(2 * np.pi * 220 * time)
    samples[round(CLICK * rate) : round((CLICK + 0.01) * rate)] = 0.9
    return samples


def _many(*channels: NDArray[np.float64]) -> bytes:
    data = encoded(np.stack(channels, 1), 1, 16)
    return wav(data, channels=len(channels), extensible=len(channels) > 2)


def _sized(size: int, riff_size: int) -> Callable[[], bytes]:
    return lambda: wav(encoded(sound(), 1, 16), size=size, riff_size=riff_size)


def _rf64() -> bytes:
    data = encoded(sound(), 1, 16)
    body = b"WAVE" + chunk(b"ds64", struct.pack("<QQQI", 0, len(data), len(data) // 2, 0))
    body += chunk(b"fmt ", form(1, 1, RATE, 16)) + chunk(b"data", data, 0xFFFFFFFF)
    return b"RF64" + struct.pack("<I", 0xFFFFFFFF) + body


def _law() -> bytes:
    """mu-law, as ITU-T G.711 has it."""
    samples = np.clip(np.round(sound() * 32767), -32635, 32635).astype(int)
    large = np.abs(samples) + 132
    exponent = np.floor(np.log2(large)).astype(int) - 7
    mantissa = (large >> (exponent + 3)) & 15
    code = ~(np.where(samples < 0, 0x80, 0) | exponent << 4 | mantissa) & 0xFF
    return wav(code.astype(np.uint8).tobytes(), 7, bits=8)


def _nan() -> bytes:
    samples = sound()
    samples[1000:1005] = np.nan
    return wav(encoded(samples, 3, 32), 3, bits=32)


WAVS: dict[str, Callable[[], bytes]] = {
    "sizes of 2 GB": _sized(2_000_000_000, 2_000_000_036),
    "sizes of 1 GB": _sized(1_000_000_000, 1_000_000_036),
    "sizes at the limit": _sized(0x7FFFFFFF, 0x7FFFFFFF),
    "sizes unknown": _sized(0xFFFFFFFF, 0xFFFFFFFF),
    "recorder that crashed": _sized(0, 0xFFFFFFFF),
    "a few bytes short": lambda: wav(encoded(sound(), 1, 16))[:-301],
    "odd chunk before": lambda: wav(encoded(sound(), 1, 16), before=chunk(b"LIST", b"abcde")),
    "64-bit sizes": _rf64,
    "one channel inverted": lambda: _many(sound(), -0.9 * sound()),
    "left channel alone": lambda: _many(sound(), 0 * sound()),
    "centre of 5.1": lambda: _many(*(sound() * (at == 2) for at in range(6))),
    "mu-law": _law,
    "float at integer scale": lambda: wav(encoded(32767 * sound(), 3, 32), 3, bits=32),
    "samples that are none": _nan,
}
FILES = tuple(sorted(path.name for path in SOUNDS.glob("click*")))
CASES = (*WAVS, *FILES, "MP3 with a cover")


def path_of(case: str, folder: Path) -> Path:
    """The file of a case."""
    if case in FILES:
        return SOUNDS / case
    if case in WAVS:
        path = folder / "voice.wav"
        path.write_bytes(WAVS[case]())
        return path
    cover = 300_000
    size = bytes(cover >> shift & 127 for shift in (21, 14, 7, 0))
    path = folder / "cover.mp3"
    tag = b"ID3\x03\x00\x00" + size + bytes(cover)
    path.write_bytes(tag + (SOUNDS / "click_vbr.mp3").read_bytes())
    return path


JOINTS = (("click", "click"), ("click_vbr", "click"))


def joined(folder: Path, names: tuple[str, str]) -> Path:
    """An MP3 behind another in one file, with and without headers of their lengths."""
    path = folder / "joined.mp3"
    path.write_bytes(b"".join((SOUNDS / f"{name}.mp3").read_bytes() for name in names))
    return path


def check_joined(samples: NDArray[np.floating]) -> None:
    """Both clicks; between them is what the second encoder put before its sound, too."""
    loud = np.flatnonzero(np.abs(samples) > 0.5) / RATE
    clicks = loud[np.append(True, np.diff(loud) > 0.1)]
    assert np.allclose(clicks, (CLICK, SECONDS + CLICK + 0.038), atol=0.005), clicks
    assert abs(len(samples) / RATE - 4.05) < 0.01, len(samples) / RATE


def check(samples: NDArray[np.floating], seconds: float = SECONDS) -> None:
    """Length, place of the click, and level."""
    assert abs(len(samples) / RATE - seconds) < 0.1, len(samples) / RATE
    clicks = np.flatnonzero(np.abs(samples) > 0.5) / RATE
    assert len(clicks), "the click is missing"
    assert abs(clicks[0] - CLICK) < LATE, clicks[0]
    level = np.sqrt(np.mean(np.square(samples[RATE : round(1.7 * RATE)], dtype=np.float64)))
    assert abs(20 * np.log10(level / LEVEL)) < DECIBELS, level / LEVEL
