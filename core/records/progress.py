"""How far a bake has come."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Progress:
    """done of total frames are written. number and path name the frame just finished, None where
    nothing new happened (so that a caller can look at its clock, or stop)."""

    done: int
    total: int
    number: int | None = None
    path: Path | None = None
    note: str = ""
