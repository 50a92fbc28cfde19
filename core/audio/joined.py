"""MP3 files that were joined end to end. Each begins with a frame that is no sound and says how
many frames follow; libsndfile ends where the first one says."""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator
from pathlib import Path

from ..errors import AudioError
from ..system.files import open_regular
from .encoder_delay import HEADERS, MP3_RATES, SIDE, start_of_sound
from .wav import MAX_FILE_BYTES

MPEG_1 = 3  # its code; 2 and 2.5 have another size of frames
KBITS = {
    True: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    False: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
ANY_HEADER = re.compile(b"|".join(HEADERS))
VBRI = 36  # bytes from the start of a frame to Fraunhofer's header; there is no other place
HAS_FRAMES, HAS_BYTES = 1, 2  # flags of a header


def header_frames(path: Path) -> list[range]:
    """Where in the file the header frames of its pieces lie; none if it is one piece. AudioError if
    it cannot be read."""
    file, size = open_regular(path, AudioError, MAX_FILE_BYTES)
    file.close()
    start = start_of_sound(path)
    if size - start < 4:
        return []
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        found = list(_headers(data, start))
        first = found[:1] if found and found[0].start == start else []
        if len(found) > len(first):
            return found
        return first if first and _goes_on(data, start) else []


def _headers(data: mmap.mmap, start: int) -> Iterator[range]:
    for match in ANY_HEADER.finditer(data, start):
        for before in {VBRI} if match[0] == b"VBRI" else {4 + side for side in SIDE.values()}:
            at = match.start() - before
            length = _frame(data, at)
            if length and (match[0] == b"VBRI" or before == _side(data, at)):
                yield range(at, at + length)


def _side(data: mmap.mmap, at: int) -> int:
    """Bytes from the start of a frame to its header."""
    return 4 + SIDE[data[at + 1] >> 3 & 3 == MPEG_1, data[at + 3] >> 6 == 3]


def _frame(data: mmap.mmap, at: int) -> int:
    """Bytes of the frame of layer III that begins there; 0 if none does."""
    if at < 0 or at + 4 > len(data) or data[at] != 0xFF or data[at + 1] & 0xE6 != 0xE2:
        return 0
    version, bits, rate = data[at + 1] >> 3 & 3, data[at + 2] >> 4, data[at + 2] >> 2 & 3
    if version == 1 or rate == 3 or not 0 < bits < 15:
        return 0
    hertz = MP3_RATES[rate] >> {3: 0, 2: 1, 0: 2}[version]
    kbits = KBITS[version == MPEG_1][bits]
    return (144 if version == MPEG_1 else 72) * kbits * 1000 // hertz + (data[at + 2] >> 1 & 1)


def _goes_on(data: mmap.mmap, start: int) -> bool:
    """Whether a frame or a tag begins where the bytes end that the first header promises."""
    at = start + _side(data, start)
    flags = int.from_bytes(data[at + 4 : at + 8], "big")
    if data[at : at + 4] not in (b"Xing", b"Info") or not flags & HAS_BYTES:
        return False
    field = at + (12 if flags & HAS_FRAMES else 8)
    end = start + int.from_bytes(data[field : field + 4], "big")
    return end > start and (data[end : end + 3] == b"ID3" or _frame(data, end) > 0)
