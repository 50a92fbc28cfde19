"""The progress of a bake."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ..system.steps import Run

T = TypeVar("T")


@dataclass(frozen=True)
class Progress:
    """done of total frames are written. number and path name the frame just finished, None if no
    frame was finished (the caller can check the time, or stop). stage: "frames", or "encoding" of
    a film from them, whose path comes with the last."""

    done: int
    total: int
    number: int | None = None
    path: Path | None = None
    note: str = ""
    stage: str = "frames"


def progress_during(
    steps: Generator[object, None, T], done: int, total: int
) -> Generator[Progress, None, T]:
    """The steps of work that finishes no frame, as progress; returns what they return."""
    run = Run(steps)
    with closing(steps):
        for _ in run:
            yield Progress(done, total)
    return run.result
