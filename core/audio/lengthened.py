"""MP3 files that do not say how long they are, or say it wrongly, for libsndfile."""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path

TIMES = 40  # 320 over 8 kbit/s: the largest first frame among the smallest others


class Lengthened(io.RawIOBase):
    """A file that says it is TIMES as long as it is.

    libsndfile divides the length of an MP3 without a header by the size of its first frame, and
    gives no sample more: a voice that begins loudly, at a variable rate, lost half of its sound.
    Reading ends where the file does. The last bytes are those of the file: a decoder looks there
    for a tag."""

    def __init__(self, path: Path, without: Sequence[range] = ()) -> None:
        """without: bytes of the file that are left out, in order: headers that say too little."""
        super().__init__()
        self._file = path.open("rb")
        self._left_out = [(0, 0)]  # from this byte on, that many bytes of the file are missing
        for part in without:
            missing = self._left_out[-1][1]
            self._left_out.append((part.start - missing, missing + len(part)))
        size = self._file.seek(0, io.SEEK_END) - self._left_out[-1][1]
        self._end, self._gap, self._at = TIMES * size, (TIMES - 1) * size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = max(offset + (0, self._at, self._end)[whence], 0)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        at = self._at - self._gap if self._at >= self._gap else self._at
        part = bisect_right(self._left_out, (at, 2**63)) - 1
        following = self._left_out[part + 1 : part + 2]
        room = min(len(buffer), following[0][0] - at) if following else len(buffer)
        self._file.seek(at + self._left_out[part][1])
        count = self._file.readinto(memoryview(buffer)[:room])
        self._at += count
        return count

    def close(self) -> None:
        self._file.close()
        super().close()
