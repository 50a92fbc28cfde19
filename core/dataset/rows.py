"""The frames of a dataset that a training uses, and those that an evaluation measures."""

from __future__ import annotations

from ..errors import ArgumentError, DatasetError
from ..records.timeline import parse_frames
from .clip import TrainingClip

ROWS = ("train", "all")  # names of the frames that a training may use
SPLITS = {"val": "transforms_val.json", "more": "transforms_more.json", "train": "the training"}


def rows_to_train(clip: TrainingClip, rows: str) -> tuple[int, ...]:
    """Frame numbers for one of ROWS. ArgumentError for another word."""
    if rows not in ROWS:
        raise ArgumentError(f"rows {rows!r} are unknown; choose one of {', '.join(ROWS)}")
    if rows == "train":
        return clip.train_rows
    return tuple(sorted({*clip.train_rows, *clip.val_rows, *clip.more_rows}))


def rows_to_measure(clip: TrainingClip, text: str) -> tuple[int, ...]:
    """Ascending frame numbers that the clip has. text: "val", "more", "train", or numbers as in
    "714-785". ArgumentError, DatasetError."""
    known = {"val": clip.val_rows, "more": clip.more_rows, "train": clip.train_rows}
    if text in known:
        if not known[text]:
            raise DatasetError(
                f"{clip.folder} has no frames of {SPLITS[text]}; give frame numbers, for example "
                f"--rows {clip.train_rows[-1] - 50}-{clip.train_rows[-1]}"
            )
        return known[text]
    asked = parse_frames(text)
    there = {row for rows in known.values() for row in rows}
    chosen = tuple(sorted(row for row in asked if row in there))
    if not chosen:
        raise ArgumentError(
            f"rows {text!r} match no frame of {clip.folder}, which has {min(there)} to "
            f"{max(there)}; give others, or val, more or train"
        )
    return chosen
