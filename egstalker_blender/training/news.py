"""What the commands say with --json, one object a line, folded into what a panel shows. No bpy.

Whatever a line holds, folding never fails: a value of another kind counts as not said.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

Event = Mapping[str, Any]
MAX_TEXT = 500  # characters of a note


@dataclass(frozen=True)
class Progress:
    """what: stage or step. seconds: that remain, None where not known. psnr: dB."""

    what: str
    done: int
    total: int
    remaining: float | None = None
    loss: float | None = None
    psnr: float | None = None
    gaussians: int | None = None

    @property
    def factor(self) -> float:
        return min(1.0, max(0.0, self.done / self.total)) if self.total > 0 else 0.0


@dataclass(frozen=True)
class News:
    """The newest of each kind. note: the last one. done: the command says that it is done, with
    `psnr` in dB."""

    progress: Progress | None = None
    preview: Path | None = None
    note: str = ""
    saved: bool = False
    done: bool = False
    psnr: float | None = None


def parse(line: bytes) -> Event | None:
    """One line as an event, None where it is something else, such as a library's own words."""
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) and isinstance(event.get("event"), str) else None


def folded(news: News, event: Event) -> News:
    """`news` after that event; an event of an unknown kind changes nothing."""
    kind = event["event"]
    if kind == "progress":
        return replace(news, progress=_progress(event) or news.progress)
    if kind in ("preview", "picture"):  # of `train`, of `prepare`
        path = _text(event, "path")
        return replace(news, preview=Path(path) if path else news.preview)
    if kind == "note":
        return replace(news, note=_text(event, "text") or news.note)
    if kind == "saved":
        return replace(news, saved=True)
    if kind == "done":
        return replace(news, done=True, psnr=_number(event, "psnr"))
    return news


def _progress(event: Event) -> Progress | None:
    """`train` says stage, step of steps; `prepare` says step, done of total."""
    what = _text(event, "stage") or _text(event, "step")
    done, total = _count(event, "step"), _count(event, "steps")
    if total is None:
        done, total = _count(event, "done"), _count(event, "total")
    if not what or done is None or total is None:
        return None
    return Progress(
        what,
        done,
        total,
        remaining=_number(event, "remaining"),
        loss=_number(event, "loss"),
        psnr=_number(event, "psnr"),
        gaussians=_count(event, "gaussians"),
    )


def _text(event: Event, key: str) -> str:
    """One line, of bounded length; empty where it is no text."""
    value = event.get(key)
    return " ".join(value.split())[:MAX_TEXT] if isinstance(value, str) else ""


def _number(event: Event, key: str) -> float | None:
    value = event.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _count(event: Event, key: str) -> int | None:
    number = _number(event, key)
    return int(number) if number is not None and number >= 0 else None
