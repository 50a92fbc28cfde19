"""Sound files that wav.py does not read: decoded by soundfile (FLAC, Ogg, Opus, MP3, AIFF, GSM and
more), else by audioread, which runs ffmpeg."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Generator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import AudioError, MissingPackageError
from ..records.arrays import Float32
from ..system.files import open_regular
from .channels import Channels, MonoSound, voice_of
from .encoder_delay import MP3, names_length, seconds_before
from .joined import header_frames
from .lengthened import Lengthened
from .sequential import Sequential
from .wav import MAX_FILE_BYTES
from .waveform import MAX_SECONDS, check_layout

WAITS = 300.0  # seconds that ffmpeg may take for the next piece
PIECE = 1 << 18  # samples of one channel that are decoded at a time
# Subtypes of soundfile that give the same samples after a seek; MP3 and Opus do not.
SEEKABLE = ("PCM_", "FLOAT", "DOUBLE", "ULAW", "ALAW", "VORBIS", "ALAC_")
GSM_FRAME, GSM_RATE = 33, 8000  # bytes; raw files have no header, telephones have this rate
# First bytes of what only ffmpeg decodes.
NEED_FFMPEG = (
    (4, b"ftyp", "the sound of an MP4 file (AAC)"),
    (0, b"\xff\xf1", "AAC"),
    (0, b"\xff\xf9", "AAC"),
    (0, b"\x30\x26\xb2\x75", "the sound of a WMA file"),
    (0, b"\x1a\x45\xdf\xa3", "the sound of a Matroska or WebM file"),
    (0, b"#!AMR", "AMR"),
)


def compressed_reader(path: Path) -> MonoSound:
    """The mono samples of a compressed or unusual sound file piece by piece, their number and rate;
    channels are mixed as those of a WAV file, and what an encoder put before the sound is left out.
    AudioError if no decoder can read it, MissingPackageError without soundfile.

    Memory does not grow with the length. A decoder that cannot seek exactly begins anew where a
    reader goes back. The header's length is not trusted: reading stops one second past the longest
    sound allowed.
    """
    faults = []
    for opened in (_by_soundfile, _by_audioread):
        try:
            read, length, rate, channels = opened(path)
            break
        except (AudioError, MissingPackageError, MemoryError):
            raise
        except Exception as error:  # each decoder raises its own
            faults.append(error)
    else:
        raise AudioError(f"{path.name} cannot be decoded{_reasons(faults, path)}")
    skip = min(round(seconds_before(path) * rate), length)
    if length - skip == 0:
        raise AudioError(f"{path.name} holds no sound; check that its recording was finished")
    check_layout(length, channels, rate, path.name)

    def after(start: int, stop: int) -> Float32:
        try:
            piece = read(start + skip, stop + skip)
        except Exception as error:
            raise AudioError(_damaged(path, error, start / rate)) from None
        if len(piece) < stop - start:
            raise AudioError(_damaged(path, None, (start + len(piece)) / rate))
        return np.asarray(piece, np.float32)

    sound = voice_of(after, length - skip, rate, channels, path.name)
    return replace(sound, length=length - skip)


def _by_soundfile(path: Path) -> tuple[Channels, int, int, int]:
    """(read, length, rate, channels)"""
    try:
        import soundfile
    except (ImportError, OSError) as error:  # OSError: it does not find libsndfile
        raise MissingPackageError(
            f"{path.name} cannot be decoded without the Python package soundfile "
            f"({_one_line(error)}); install it, or convert the sound to WAV"
        ) from None

    class Forward(soundfile.SoundFile):
        """It seeks after every read otherwise, by which an MP3 loses what its frames share."""

        def seekable(self) -> bool:
            return False

    how: dict[str, Any] = {"samplerate": GSM_RATE, "channels": 1, "format": "RAW"}
    how = {**how, "subtype": "GSM610"} if _is_raw_gsm(path) else {}

    def pieces() -> Generator[Float32, None, None]:
        with ExitStack() as stack:
            source = stack.enter_context(Lengthened(path, headers)) if endless else path
            file = stack.enter_context(Forward(source, **how))
            file.read(late, dtype="float32")
            while len(piece := file.read(PIECE, dtype="float32", always_2d=True)):
                yield piece

    with soundfile.SoundFile(path, **how) as file:
        rate, channels, length = file.samplerate, file.channels, file.frames
        is_mp3 = file.subtype.startswith("MPEG_LAYER")
        headers = header_frames(path) if is_mp3 else []
        endless = is_mp3 and (bool(headers) or not names_length(path))
        # Without its header a decoder does not know what the encoder put before the sound.
        late = MP3 if headers and names_length(path) else 0
        seekable = file.seekable() and file.subtype.startswith(SEEKABLE)
        if seekable and 0 < length <= MAX_SECONDS * rate:
            file.seek(length - 1)
            seekable = len(file.read(2, dtype="float32", always_2d=True)) == 1
        else:
            seekable = False
    check_layout(0, channels, rate, path.name)
    if not seekable:
        sound = Sequential(pieces, (MAX_SECONDS + 1) * rate)
        return sound.read, sound.length, rate, channels

    def read(start: int, stop: int) -> Float32:
        with soundfile.SoundFile(path) as file:
            file.seek(start)
            piece: Float32 = file.read(stop - start, dtype="float32", always_2d=True)
            return piece

    return read, length, rate, channels


def _by_audioread(path: Path) -> tuple[Channels, int, int, int]:
    """As _by_soundfile."""
    with warnings.catch_warnings():  # it imports deprecated modules
        warnings.simplefilter("ignore")
        import audioread
        import audioread.ffdec

        if audioread.ffdec.FFmpegAudioFile not in audioread.available_backends():
            audioread.available_backends(flush_cache=True)  # it may have been installed since
        with audioread.audio_open(path) as file:
            rate, channels = file.samplerate, file.channels
    if not channels:  # ffmpeg knows the suffix and finds nothing inside
        raise ValueError("no sound is in it")
    check_layout(0, channels, rate, path.name)
    frame = 2 * channels

    def pieces() -> Generator[Float32, None, None]:
        rest = b""
        with audioread.audio_open(path) as file:
            # It gives up after 10 s without data otherwise, as on a busy machine.
            patient = isinstance(file, audioread.ffdec.FFmpegAudioFile)
            for data in file.read_data(WAITS) if patient else file:
                data = rest + data
                whole = len(data) // frame * frame
                rest = data[whole:]
                samples = np.frombuffer(data[:whole], "<i2").reshape(-1, channels)
                yield samples.astype(np.float32) / np.float32(32768)

    sound = Sequential(pieces, (MAX_SECONDS + 1) * rate)
    return sound.read, sound.length, rate, channels


def _is_raw_gsm(path: Path) -> bool:
    """True if every frame at the beginning has the four bits that mark one of GSM 06.10."""
    start = _start(path, 20 * GSM_FRAME)
    marks = start[::GSM_FRAME]
    return len(start) >= 2 * GSM_FRAME and all(mark >> 4 == 0xD for mark in marks)


def _start(path: Path, count: int) -> bytes:
    file, _ = open_regular(path, AudioError, MAX_FILE_BYTES)
    with file:
        return file.read(count)


def _reasons(faults: list[Exception], path: Path) -> str:
    """Why nothing decodes it, and what to do."""
    start = _start(path, 16)
    kinds = [kind for at, sign, kind in NEED_FFMPEG if start[at:].startswith(sign)]
    if kinds and not shutil.which("ffmpeg"):
        return (
            f": {kinds[0]} needs the program ffmpeg, which is not on the PATH; install it, or "
            "convert the sound to WAV"
        )
    opening = f"Error opening {str(path)!r}: "
    lines = (_one_line(fault).removeprefix(opening).rstrip(".") for fault in faults)
    return f" ({'; '.join(lines)}); convert it to WAV"


def _damaged(path: Path, error: Exception | None, seconds: float) -> str:
    said = f" ({_one_line(error)})" if error else ""
    return f"{path.name} is damaged at {seconds:.0f} s{said}; copy it again, or convert it to WAV"


def _one_line(error: BaseException) -> str:
    if type(error).__name__ == "NoBackendError":  # audioread's, without a text
        return "no ffmpeg or other decoder reads it"
    return " ".join(str(error).split()) or type(error).__name__
