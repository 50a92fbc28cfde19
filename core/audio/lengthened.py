"""MP3 files that do not say how long they are, for libsndfile."""

from __future__ import annotations

import io
from pathlib import Path

TIMES = 40  # 320 over 8 kbit/s: the largest first frame among the smallest others


class Lengthened(io.RawIOBase):
    """A file that says it is TIMES as long as it is.

    libsndfile divides the length of an MP3 without a header by the size of its first frame, and
    gives no sample more: a voice that begins loudly, at a variable rate, lost half of its sound.
    Reading ends where the file does. The last bytes are those of the file: a decoder looks there
    for a tag."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._file = path.open("rb")
        size = self._file.seek(0, io.SEEK_END)
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
        self._file.seek(self._at - self._gap if self._at >= self._gap else self._at)
        count = self._file.readinto(buffer)
        self._at += count
        return count

    def close(self) -> None:
        self._file.close()
        super().close()
