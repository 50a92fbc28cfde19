"""Which frames a training uses."""

from __future__ import annotations

from ..errors import ArgumentError
from .clip_frames import TrainingClip
from .job import ROWS


def rows_of(clip: TrainingClip, rows: str) -> tuple[int, ...]:
    """Frame numbers for one of ROWS, see job.py. ArgumentError for another word."""
    if rows not in ROWS:
        raise ArgumentError(f"rows {rows!r} are unknown; choose one of {', '.join(ROWS)}")
    if rows == "train":
        return clip.train_rows
    return tuple(sorted({*clip.train_rows, *clip.val_rows, *clip.more_rows}))
