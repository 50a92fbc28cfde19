"""Turns the events of a command with --json into the state that the panel shows. No bpy.

docs/formats.md describes the events; those of the first version are read too. No line causes an
error: a value of the wrong type is ignored.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...core.prepare.findings.record import GRADES, Finding

Event = Mapping[str, Any]
MAX_TEXT = 500  # characters of a note
MAX_FINDINGS = 50


@dataclass(frozen=True)
class Progress:
    """what: stage or step. remaining: seconds, None if unknown. psnr: dB."""

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
    """The newest of each kind. findings: of the video, the worst first. page: the report with all
    of them. saved: a state was saved. done: the command has ended well, with `psnr` in dB."""

    progress: Progress | None = None
    preview: Path | None = None
    note: str = ""
    findings: tuple[Finding, ...] = ()
    page: Path | None = None
    saved: bool = False
    done: bool = False
    psnr: float | None = None

    @property
    def of_video(self) -> News:
        """What the next command of the job does not report again."""
        return News(findings=self.findings, page=self.page)


def parse(line: bytes) -> Event | None:
    """One line as an event, None if it is anything else, such as the output of a library."""
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) and isinstance(event.get("event"), str) else None


def folded(news: News, event: Event) -> News:
    """`news` after that event. `start` and unknown kinds change nothing; nor does `failed`, because
    the command's exit code and its line on stderr say the same."""
    kind = event["event"]
    if kind == "saved":
        kind = _text(event, "what") or "state"  # the first version had no `what`
    if kind == "progress":
        return replace(news, progress=_progress(event) or news.progress)
    if kind in ("preview", "picture"):  # of `train`, of `prepare`
        path = _text(event, "path")
        return replace(news, preview=Path(path) if path else news.preview)
    if kind == "page":
        path = _text(event, "path")
        return replace(news, page=Path(path) if path else news.page)
    if kind == "note" and (finding := _finding(event.get("finding"))) is not None:
        return replace(news, findings=(*news.findings, finding)[:MAX_FINDINGS])
    if kind == "note":
        return replace(news, note=_text(event, "text") or news.note)
    if kind == "state":
        return replace(news, saved=True)
    if kind == "done":
        return replace(news, done=True, psnr=_number(event, "psnr"))
    return news


def _progress(event: Event) -> Progress | None:
    """The first version: stage, step of steps in `train`; step, done of total in `prepare`."""
    what = _text(event, "what") or _text(event, "stage") or _text(event, "step")
    done, total = _count(event, "done"), _count(event, "total")
    if total is None:
        done, total = _count(event, "step"), _count(event, "steps")
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


def _finding(value: Any) -> Finding | None:
    """None if it is no finding of a known grade."""
    if not isinstance(value, dict):
        return None
    name, grade, unit, text, advice = (
        _text(value, key) for key in ("name", "grade", "unit", "text", "advice")
    )
    number = _number(value, "value")
    shown = _text(value, "value") if number is None else number
    known = bool(name and text) and grade in GRADES
    return Finding(name, grade, shown, unit, text, advice) if known else None


def _text(event: Event, key: str) -> str:
    """One line of bounded length; empty if the value is no text."""
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
