"""Errors and notes of one reading of a dataset, collected so that one error names them all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from ..errors import DatasetError

NAMED = 5  # frames named of many with the same complaint


class Report:
    """errors: the dataset cannot be used. notes: it can, and the user should know. Complaints about
    single frames are counted by their text and end as one note each."""

    def __init__(self) -> None:
        self.errors: list[str] = []
        self.notes: list[str] = []
        self._frames: dict[str, list[int]] = {}

    def frame(self, row: int, complaint: str) -> None:
        """`complaint` continues "N frames " and holds for many of them, word for word."""
        self._frames.setdefault(complaint, []).append(row)

    @contextmanager
    def collecting(self) -> Iterator[None]:
        """A DatasetError in the block becomes one of `errors`."""
        try:
            yield
        except DatasetError as error:
            self.errors.append(str(error))

    def fail(self) -> NoReturn:
        """DatasetError with the errors alone: notes do not matter where a needed part is wrong."""
        self.notes.clear()
        self.finish()
        raise AssertionError("there is no error to raise")

    def finish(self) -> tuple[str, ...]:
        """Every note. DatasetError, one line with errors and notes, where there are errors."""
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
