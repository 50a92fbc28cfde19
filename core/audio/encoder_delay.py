"""Samples that an encoder put before a sound, in files that do not say how many.

Decoders leave them out where the file says so: MP4, Ogg, Opus, MP3 with a LAME tag. Raw AAC and MP3
without that tag cannot say it, and begin late: 23 ms at 44.1 kHz, 69 ms at 16 kHz."""

from __future__ import annotations

from pathlib import Path

from ..errors import AudioError
from ..system.files import open_regular
from .wav import MAX_FILE_BYTES

AAC = 1024  # samples; one frame, as most encoders have
MP3 = 576 + 529  # samples of LAME's encoder and of every decoder
AAC_RATES = (
    96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350,
)  # fmt: skip
MP3_RATES = (44100, 48000, 32000)
TAGS = (b"LAME", b"Lavf", b"Lavc")  # their tag has the delay
HEADERS = (b"Xing", b"Info", b"VBRI")  # of a whole MP3, in its first frame
MOST_ID3 = 8  # tags of other programs, one before the other
HEAD = 4096  # bytes that are looked at
SIDE = {(True, True): 17, (True, False): 32, (False, True): 9, (False, False): 17}


def seconds_before(path: Path) -> float:
    """Seconds to leave out at the beginning of what a decoder gives; 0 for most files. AudioError
    if the file cannot be read."""
    head = _head(path)
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return 0.0
    layer = head[1] >> 1 & 3
    if layer == 0 and head[1] & 0xF0 == 0xF0:
        index = head[2] >> 2 & 15
        return AAC / AAC_RATES[index] if index < len(AAC_RATES) else 0.0
    version, index = head[1] >> 3 & 3, head[2] >> 2 & 3
    if layer != 1 or version == 1 or index == 3 or _is_told(head, version == 3):
        return 0.0
    return MP3 / (MP3_RATES[index] >> {3: 0, 2: 1, 0: 2}[version])


def names_length(path: Path) -> bool:
    """Whether the first frame of an MP3 says how many follow. AudioError if the file cannot be
    read."""
    head = _head(path)
    return any(header in head for header in HEADERS)


def start_of_sound(path: Path) -> int:
    """The first byte behind the ID3 tags of the file. AudioError if the file cannot be read."""
    file, _ = open_regular(path, AudioError, MAX_FILE_BYTES)
    at = 0
    with file:
        for _ in range(MOST_ID3):
            file.seek(at)
            head = file.read(10)
            if head[:3] != b"ID3" or len(head) < 10:
                break
            size = 0
            for byte in head[6:]:  # 7 bits each
                size = size << 7 | byte & 127
            at += 10 + size + (10 if head[5] & 16 else 0)
    return at


def _head(path: Path) -> bytes:
    """The first bytes of the sound."""
    file, _ = open_regular(path, AudioError, MAX_FILE_BYTES)
    with file:
        file.seek(start_of_sound(path))
        return file.read(HEAD)


def _is_told(head: bytes, mpeg_1: bool) -> bool:
    """True if the first frame of an MP3 is a header with the encoder's tag."""
    at = 4 + SIDE[mpeg_1, head[3] >> 6 == 3]
    return head[at : at + 4] in (b"Xing", b"Info") and any(
        tag in head[at + 4 : at + 140] for tag in TAGS
    )
