"""WAV files with numpy alone: PCM of 8, 16, 24, 32 bits and float of 32, 64 bits, any channels."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..errors import AudioError
from ..records.voice import Waveform
from ..system.files import open_regular
from .resample import Reader
from .waveform import check_layout, from_reader, mono

MAX_FILE_BYTES = 1 << 36
MAX_CHUNKS = 1000
PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")
UNKNOWN_SIZE = 0x7FFFF000  # or more: the placeholder of a recorder that could not seek back


@dataclass(frozen=True)
class WavLayout:
    """code: PCM or FLOAT. width: bytes of one sample of one channel. start: byte of the first
    sample. length: samples of one channel."""

    code: int
    width: int
    channels: int
    rate: int
    start: int
    length: int


def load_wav(path: Path) -> Waveform | None:
    """The waveform of a WAV file, or None if it is another container or has compressed samples,
    which another decoder may read. AudioError if the file is broken."""
    found = wav_reader(path)
    return None if found is None else from_reader(*found)


def wav_reader(path: Path) -> tuple[Reader, int, int] | None:
    """For a WAV file: its mono samples piece by piece, their number and rate; None and errors as
    load_wav."""
    layout = wav_layout(path)
    if layout is None:
        return None

    def read(start: int, stop: int) -> NDArray[np.float32]:
        file, _ = open_regular(path, AudioError, MAX_FILE_BYTES)
        with file:
            return mono(_decode(file, layout, start, stop, path.name), path.name)

    return read, layout.length, layout.rate


def wav_layout(path: Path) -> WavLayout | None:
    """The layout of a WAV file, from its header alone; None and errors as load_wav."""
    file, size = open_regular(path, AudioError, MAX_FILE_BYTES)
    with file:
        return _layout_with_sound(file, size, path.name)


def _layout_with_sound(file: BinaryIO, size: int, name: str) -> WavLayout | None:
    layout = read_layout(file, size, name)
    if layout is not None and layout.length == 0:
        raise AudioError(f"{name} holds no sound; check that its recording was finished")
    return layout


def read_layout(file: BinaryIO, size: int, name: str) -> WavLayout | None:
    """The layout of a file of `size` bytes, from its chunks; no samples are read."""
    head = file.read(12)
    if len(head) < 12 or head[:4] != b"RIFF" or head[8:] != b"WAVE":
        return None
    riff_end = struct.unpack_from("<I", head, 4)[0] + 8
    position, form = 12, None
    for _ in range(MAX_CHUNKS):
        file.seek(position)
        head = file.read(8)
        if len(head) < 8:
            break
        kind, count = head[:4], struct.unpack_from("<I", head, 4)[0]
        position += 8
        if kind == b"data":
            if form is None:
                raise AudioError(f"{name} has sound before its format; convert it to WAV again")
            rest = size - position
            # Placeholders of an unfinished header: the sound extends to the end of the file.
            if (count >= UNKNOWN_SIZE and count > rest) or (count == 0 and riff_end <= position):
                count = rest
            if count > rest:
                raise AudioError(
                    f"{name} is cut off: its header promises {count} bytes of sound and {rest} "
                    "are there; copy or export it again"
                )
            return _layout(form, position, count, name)
        if kind == b"fmt ":
            form = file.read(min(count, 40))
            if len(form) < 16:
                raise AudioError(f"{name} has a broken format chunk; convert it to WAV again")
        position += count + (count & 1)
        if form is not None and _code(form) not in (PCM, FLOAT):
            return None
    raise AudioError(f"{name} has no sound in it (no data chunk); convert it to WAV again")


def _code(form: bytes) -> int:
    code = int(struct.unpack_from("<H", form)[0])
    if code == EXTENSIBLE and len(form) >= 40 and form[26:40] == GUID_TAIL:
        return int(struct.unpack_from("<H", form, 24)[0])
    return code


def _layout(form: bytes, start: int, count: int, name: str) -> WavLayout:
    channels, rate, _, align, bits = struct.unpack_from("<HIIHH", form, 2)
    code = _code(form)
    if channels == 0 or align == 0 or align % channels:
        raise AudioError(
            f"{name} has {channels} channels in frames of {align} bytes; convert it to WAV again"
        )
    width = align // channels
    if width not in ((1, 2, 3, 4) if code == PCM else (4, 8)) or not 0 < bits <= 8 * width:
        raise AudioError(
            f"{name} has samples of {bits} bits in {width} bytes; convert it to 16-bit"
        )
    length = count // align
    return WavLayout(
        code, width, channels, check_layout(length, channels, rate, name), start, length
    )


def _decode(
    file: BinaryIO, layout: WavLayout, start: int, stop: int, name: str
) -> NDArray[np.float32] | NDArray[np.float64]:
    """(stop - start, channels), PCM divided by its full scale."""
    frame = layout.width * layout.channels
    file.seek(layout.start + start * frame)
    raw = file.read((stop - start) * frame)
    if len(raw) < (stop - start) * frame:
        raise AudioError(f"{name} became shorter while it was read; try again")
    if layout.code == FLOAT:
        samples = np.frombuffer(raw, f"<f{layout.width}")
    elif layout.width == 1:
        samples = (np.frombuffer(raw, np.uint8).astype(np.float32) - 128) / np.float32(128)
    elif layout.width == 3:
        wide = np.zeros((len(raw) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(raw, np.uint8).reshape(-1, 3)
        samples = wide.view("<i4")[:, 0].astype(np.float32) / np.float32(1 << 31)
    else:
        integers = np.frombuffer(raw, f"<i{layout.width}")
        samples = integers.astype(np.float32) / np.float32(1 << (8 * layout.width - 1))
    return samples.reshape(-1, layout.channels)
