"""What every reader of foreign bytes must do with any input."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core.errors import EgsError


@dataclass(frozen=True)
class Case:
    """A reader and its input. path: the file that `read` reads. seeds: good files, or good parts of
    one that `wrap` makes a file of."""

    path: Path
    seeds: tuple[bytes, ...]
    read: Callable[[], object]
    wrap: Callable[[bytes], bytes] = bytes

    def take(self, data: bytes) -> bool:
        """Read these bytes; whether they were accepted. Errors of ours must be one line; any other
        exception is a defect and is raised."""
        self.path.write_bytes(self.wrap(data))
        try:
            self.read()
        except EgsError as error:
            assert str(error) and "\n" not in str(error), repr(error)
            return False
        return True


Maker = Callable[[Path], Case]  # of an empty folder
