"""Errors and notes from reading a dataset, collected so that one error names them all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from ..errors import DatasetError

NAMED = 5  # frames that one complaint names at most


class Report:
    """errors: the dataset cannot be used. notes: it can, and the user should know. Complaints about
    single frames are grouped by their text; each group becomes one note."""

    def __init__(self) -> None:
        self.errors: list[str] = []
        self.notes: list[str] = []
        self._frames: dict[str, list[int]] = {}

    def frame(self, row: int, complaint: str) -> None:
        """`complaint` follows "N frames "; complaints with the same words are counted together."""
        self._frames.setdefault(complaint, []).append(row)

    @contextmanager
    def collecting(self) -> Iterator[None]:
        """A DatasetError in the block becomes one of `errors`."""
        try:
            yield
        except DatasetError as error:
            self.errors.append(str(error))

    def fail(self) -> NoReturn:
        """Raise DatasetError with the errors alone: notes do not matter if a needed part is
        wrong."""
        self.notes.clear()
        self.finish()
        raise AssertionError("there is no error to raise")

    def finish(self) -> tuple[str, ...]:
        """All notes. DatasetError, one line with errors and notes, if there are errors."""
        counted = [_counted(rows, text) for text, rows in self._frames.items()]
        if not self.errors:
            return (*self.notes, *counted)
        if len(self.errors) == 1 and not counted and not self.notes:
            raise DatasetError(self.errors[0])
        every = [*self.errors, *self.notes, *counted]
        listed = "; ".join(f"({number}) {text}" for number, text in enumerate(every, 1))
        raise DatasetError(f"{len(every)} things are wrong with the dataset: {listed}")


def _counted(rows: list[int], text: str) -> str:
    rows = sorted(set(rows))
    named = ", ".join(str(row) for row in rows[:NAMED])
    more = ", ..." if len(rows) > NAMED else ""
    plural = "frames" if len(rows) != 1 else "frame"
    return f"{len(rows)} {plural} {text} ({named}{more})"
