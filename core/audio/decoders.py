"""Sound files other than plain WAV, through whichever optional package knows them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import AudioError, MissingPackageError
from .waveform import Waveform, check_layout, from_samples, mono

BLOCK = 1 << 16  # samples of one channel at a time


def decode(path: Path) -> Waveform:
    """The waveform of a compressed or unusual sound file: by soundfile, else by audioread (which
    needs ffmpeg for most). AudioError where neither can, MissingPackageError where neither is
    installed."""
    reasons: list[str] = []
    missing = 0
    attempts: tuple[Callable[[Path], Waveform], ...] = (_by_soundfile, _by_audioread)
    for attempt in attempts:
        try:
            return attempt(path)
        except (ImportError, _UndecodableError) as error:
            missing += isinstance(error, ImportError)
            reasons.append(" ".join(str(error).split()))
    if missing == len(attempts):
        raise MissingPackageError(
            f"{path.name} cannot be decoded without the Python package soundfile; install it, or "
            "convert the sound to WAV"
        )
    raise AudioError(
        f"{path.name} cannot be decoded ({'; '.join(reasons)}); convert it to WAV"
    ) from None


class _UndecodableError(Exception):
    """This package does not know the file; the next may."""


def _by_soundfile(path: Path) -> Waveform:
    try:
        import soundfile
    except OSError as error:  # the package is there, its library is not
        raise ImportError(f"soundfile: {error}") from None
    try:
        with soundfile.SoundFile(path) as file:
            check_layout(file.frames, file.channels, file.samplerate, path.name)

            def blocks() -> Iterator[NDArray[np.float32]]:
                while len(block := file.read(BLOCK, dtype="float32", always_2d=True)):
                    yield block

            return _gather(blocks(), file.samplerate, path.name)
    except (soundfile.SoundFileError, TypeError) as error:  # TypeError: headerless by its suffix
        text = str(error).removeprefix(f"Error opening {str(path)!r}: ")
        raise _UndecodableError(f"soundfile: {text}") from None


def _by_audioread(path: Path) -> Waveform:
    with warnings.catch_warnings():  # it imports modules that Python 3.11 calls deprecated
        warnings.simplefilter("ignore", DeprecationWarning)
        import audioread

        try:
            file = audioread.audio_open(str(path))
        except (audioread.DecodeError, OSError, EOFError, ValueError) as error:
            raise _UndecodableError(
                f"audioread: {str(error) or 'no ffmpeg or other backend knows it'}"
            ) from None
    try:
        with file:
            length = int((file.duration or 0) * file.samplerate)
            check_layout(length, file.channels, file.samplerate, path.name)
            return _gather(_pcm(file, file.channels), file.samplerate, path.name)
    except (audioread.DecodeError, OSError) as error:
        raise _UndecodableError(f"audioread: {error}") from None


def _pcm(pieces: Iterable[bytes], channels: int) -> Iterator[NDArray[np.float32]]:
    """(n, channels) of 16-bit bytes, whose pieces may end inside a frame."""
    rest = b""
    for piece in pieces:
        piece = rest + piece
        whole = len(piece) // (2 * channels) * (2 * channels)
        rest = piece[whole:]
        samples = np.frombuffer(piece[:whole], "<i2").astype(np.float32) / np.float32(32768)
        yield samples.reshape(-1, channels)


def _gather(blocks: Iterator[NDArray[Any]], rate: int, name: str) -> Waveform:
    """Mono at once, so that many channels cost no memory; a header's length is not believed."""
    parts: list[NDArray[np.float32]] = []
    length = 0
    for block in blocks:
        length += len(block)
        check_layout(length, 1, rate, name)
        parts.append(mono(block, name))
    if not length:
        raise AudioError(f"{name} holds no sound; check that its recording was finished")
    return from_samples(np.concatenate(parts), rate, name)
