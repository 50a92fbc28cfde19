"""The readers of sound files, each with good files to damage."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import soundfile

from core.audio.files import load_waveform
from core.audio.npy import load_features
from core.audio.wav import load_wav
from tests.fuzz.case import Case, Maker
from tests.support.sound_files import chunk, encoded, wav

TONE = np.sin(np.linspace(0, 60, 2000)) / 2


def npy(folder: Path) -> Case:
    path = folder / "x.npy"
    seeds = []
    for shape in ((50, 29), (20, 16, 29), (10, 2, 64)):
        file = io.BytesIO()
        np.save(file, np.zeros(shape, np.float32))
        seeds.append(file.getvalue())
    return Case(path, tuple(seeds), lambda: load_features(path))


def wave(folder: Path) -> Case:
    path = folder / "x.wav"
    seeds = (
        wav(encoded(TONE, 1, 16), before=chunk(b"LIST", b"abc")),
        wav(encoded(TONE, 3, 32), 3, bits=32, extensible=True),
        wav(encoded(TONE, 1, 24), channels=2, bits=24, rate=48000),
        *(written("WAV", subtype) for subtype in ("IMA_ADPCM", "MS_ADPCM")),
    )
    return Case(path, seeds, lambda: load_wav(path))


def rarer_wave(folder: Path) -> Case:
    """Of telephones, with 64-bit sizes, and with the bytes of each number turned round."""
    path = folder / "x.wav"
    plain = wav(encoded(TONE, 1, 16))
    sizes = struct.pack("<3Q4x", len(plain) + 28, 2 * len(TONE), len(TONE))
    wide = chunk(b"ds64", sizes) + plain[12:].replace(
        struct.pack("<I", 2 * len(TONE)), b"\xff" * 4, 1
    )
    seeds = (
        written("WAV", "ULAW"),
        written("WAV", "ALAW"),
        b"RF64" + b"\xff" * 4 + b"WAVE" + wide,
        written("WAV", "PCM_16", "BIG"),
        wav(encoded(np.repeat(TONE, 6), 1, 16), channels=6, rate=48000, extensible=True),
    )
    return Case(path, seeds, lambda: load_wav(path))


def written(
    kind: str, subtype: str | None = None, endian: str = "FILE", rate: int = 16000
) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, TONE, rate, format=kind, subtype=subtype, endian=endian)
    return file.getvalue()


def other_sound(folder: Path) -> Case:
    """Through soundfile: FLAC, Ogg Vorbis, MP3, two of them joined, and raw GSM."""
    path = folder / "x.sound"
    seeds = [written(kind) for kind in ("FLAC", "OGG", "MP3")]
    seeds.append(2 * seeds[-1])
    seeds.append(written("RAW", "GSM610", rate=8000))
    return Case(path, tuple(seeds), lambda: load_waveform(path))


def rarer_sound(folder: Path) -> Case:
    """Through soundfile: Opus, AIFF, AU, CAF, Wave64."""
    path = folder / "x.sound"
    seeds = [written("OGG", "OPUS"), *(written(kind) for kind in ("AIFF", "AU", "CAF", "W64"))]
    return Case(path, tuple(seeds), lambda: load_waveform(path))


READERS: dict[str, Maker] = {
    "features (.npy)": npy,
    "WAV": wave,
    "WAV, rarer kinds": rarer_wave,
    "FLAC, Ogg, MP3": other_sound,
    "Opus, AIFF, AU, CAF, Wave64": rarer_sound,
}
