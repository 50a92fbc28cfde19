"""The progress of a bake."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


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
