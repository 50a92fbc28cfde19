"""The chunks of WAV files (RIFF, RIFX, RF64, BW64): where the samples are, and in which format.

Sizes are not trusted: recorders that could not seek back or crashed leave placeholders."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

from ..errors import AudioError
from .adpcm import HEADS, Blocks
from .wav_samples import WIDTHS
from .waveform import check_layout

MAX_CHUNKS = 1000
EXTENSIBLE = 0xFFFE
GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")
IN_DS64 = 0xFFFFFFFF  # the size is in the chunk ds64 of an RF64 file
UNKNOWN_SIZE = 0x7FFFF000  # or more: the placeholder of a recorder that could not seek back
ROUND = 1_000_000  # or a multiple of it
MANY = 8  # or a promise of that many times the bytes that are there
SHORT = 4096, 100  # bytes, or the hundredth part, that may be missing at the end
READ_ON = "its header does not say how long it is: read to the end of the file"


@dataclass(frozen=True)
class WavLayout:
    """code: one of wav_samples or adpcm. width: bytes of one sample of one channel, 0 of ADPCM.
    start: byte of the first sample. length: samples of one channel. order: "<" or ">", of the
    bytes. mask: which channels there are, 0 if unknown. notes: what was mended, one line each.
    blocks: of ADPCM."""

    code: int
    width: int
    channels: int
    rate: int
    start: int
    length: int
    order: str = "<"
    mask: int = 0
    notes: tuple[str, ...] = ()
    blocks: Blocks | None = None

    @property
    def block(self) -> tuple[int, int]:
        """Bytes that are decoded together, and their samples of one channel."""
        if self.blocks is None:
            return self.width * self.channels, 1
        return self.blocks.size, self.blocks.samples(self.blocks.size)


def read_layout(file: BinaryIO, size: int, name: str) -> WavLayout | None:
    """The layout of a file of `size` bytes, from its chunks; no samples are read. None for another
    container or compressed samples. AudioError."""
    head = file.read(12)
    if len(head) < 12 or head[:4] not in (b"RIFF", b"RIFX", b"RF64", b"BW64"):
        return None
    if head[8:] != b"WAVE":
        return None
    order = ">" if head[:4] == b"RIFX" else "<"
    riff_end = struct.unpack_from(f"{order}I", head, 4)[0] + 8
    position, form, wide, real = 12, None, None, None
    for _ in range(MAX_CHUNKS):
        file.seek(position)
        head = file.read(8)
        if len(head) < 8:
            break
        kind, count = head[:4], struct.unpack_from(f"{order}I", head, 4)[0]
        position += 8
        if kind == b"data":
            if form is None:
                raise AudioError(f"{name} has sound before its format; convert it to WAV again")
            if count == IN_DS64 and wide is not None:
                count = wide
            elif count == 0 and _unfinished(file, position, size, riff_end):
                count = IN_DS64
            count, notes = _there(count, size - position, name)
            if _code(form, order) in HEADS:
                return _adpcm(form, order, position, count, real, notes, name)
            return _layout(form, order, position, count, notes, name)
        if kind == b"fmt ":
            form = file.read(min(count, 40))
            if len(form) < 16:
                raise AudioError(f"{name} has a broken format chunk; convert it to WAV again")
            if _code(form, order) not in (*WIDTHS, *HEADS):
                return None
        if kind == b"fact":
            field = file.read(4)
            real = struct.unpack(f"{order}I", field)[0] if len(field) == 4 else None
        if kind == b"ds64":
            sizes = file.read(16)
            wide = struct.unpack_from("<Q", sizes, 8)[0] if len(sizes) == 16 else None
        position += count
        if count & 1 and not _chunk_at(file, position, size):  # some writers leave the padding out
            position += 1
    raise AudioError(f"{name} has no sound in it (no data chunk); convert it to WAV again")


def _unfinished(file: BinaryIO, position: int, size: int, riff_end: int) -> bool:
    """True if an empty data chunk at `position` is not the end of the sound: the file's own size is
    a placeholder too, or what follows is not a chunk."""
    if position >= size:
        return False
    return riff_end <= position or riff_end > size or not _chunk_at(file, position, size)


def _chunk_at(file: BinaryIO, position: int, size: int) -> bool:
    """True if a chunk begins there, or nothing."""
    if position >= size:
        return True
    file.seek(position)
    head = file.read(8)
    letters = len(head) == 8 and all(32 <= byte < 127 for byte in head[:4])
    return letters and any(
        struct.unpack_from(f"{order}I", head, 4)[0] <= size - position - 8 for order in "<>"
    )


def _there(count: int, rest: int, name: str) -> tuple[int, tuple[str, ...]]:
    """Bytes of sound, of which the header promises `count` and `rest` are there, and notes."""
    if count <= rest:
        return count, ()
    if count >= UNKNOWN_SIZE or count % ROUND == 0 or count > MANY * rest:
        return rest, (READ_ON,)
    if count - rest <= max(SHORT[0], count // SHORT[1]):
        return rest, (f"the last {count - rest} bytes of its sound are missing",)
    raise AudioError(
        f"{name} is cut off: its header promises {count} bytes of sound and {rest} are there; copy "
        "or export it again"
    )


def _code(form: bytes, order: str) -> int:
    code = int(struct.unpack_from(f"{order}H", form)[0])
    if code == EXTENSIBLE and len(form) >= 40 and form[-12:] == GUID_TAIL[-12:]:
        return int(struct.unpack_from(f"{order}I", form, 24)[0])
    return code


def _layout(
    form: bytes, order: str, start: int, count: int, notes: tuple[str, ...], name: str
) -> WavLayout:
    channels, rate, _, align, bits = struct.unpack_from(f"{order}HIIHH", form, 2)
    code = _code(form, order)
    if channels == 0 or align == 0 or align % channels:
        raise AudioError(
            f"{name} has {channels} channels in frames of {align} bytes; convert it to WAV again"
        )
    width = align // channels
    if width not in WIDTHS[code] or not 0 < bits <= 8 * width:
        raise AudioError(
            f"{name} has samples of {bits} bits in {width} bytes; convert it to 16-bit"
        )
    extended = struct.unpack_from(f"{order}H", form)[0] == EXTENSIBLE and len(form) >= 40
    mask = struct.unpack_from(f"{order}I", form, 20)[0] if extended else 0
    length = count // align
    rate = check_layout(length, channels, rate, name)
    return WavLayout(code, width, channels, rate, start, length, order, mask, notes)


def _adpcm(
    form: bytes,
    order: str,
    start: int,
    count: int,
    real: int | None,
    notes: tuple[str, ...],
    name: str,
) -> WavLayout:
    """real: samples of one channel that the file says to hold: the last block has more."""
    channels, rate, _, size = struct.unpack_from(f"{order}HIIH", form, 2)
    blocks = Blocks(_code(form, order), size, channels)
    each = blocks.samples(size)
    if channels == 0 or each < 2:
        raise AudioError(
            f"{name} has {channels} channels of ADPCM in blocks of {size} bytes; convert it to "
            "WAV of 16 bits again"
        )
    length = count // size * each + blocks.samples(count % size)
    if real is not None and length - each < real < length:
        length = real
    rate = check_layout(length, channels, rate, name)
    return WavLayout(
        blocks.code, 0, channels, rate, start, length, order, notes=notes, blocks=blocks
    )
