"""The time of a preparation by step. Needs the packages that `prepare` needs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from ..prepare.options import PrepareOptions
from ..prepare.pipeline import STEPS, prepare
from ..system.leftovers import temporary_folder
from .rows import Row

SIZE = 512
Times = tuple[float, float]  # seconds of the clock, of this process


def preparing(video: Path) -> Iterator[Row]:
    """Milliseconds a frame of each step and of all, in this process alone. EgsError."""
    begun: dict[str, Times] = {}

    def progress(step: str, done: int, total: int) -> None:
        begun.setdefault(step, _now())

    with temporary_folder() as folder:
        start = _now()
        options = PrepareOptions(size=SIZE, processes=1)
        frames = int(prepare(video, Path(folder), options, progress=progress)["frames"])
        end = _now()
    times = {"": start, **{step: begun[step] for step in STEPS}}
    ends = [*list(times.values())[1:], end]
    yield _row("all", start, end, frames)
    for (step, first), last in zip(times.items(), ends, strict=True):
        yield _row(step or "start", first, last, frames)


def _now() -> Times:
    return time.perf_counter(), time.process_time()


def _row(step: str, first: Times, last: Times, frames: int) -> Row:
    clock, cpu = (1e3 * (b - a) / frames for a, b in zip(first, last, strict=True))
    return Row(f"video, {step}", "1 process", clock, clock, clock * frames, cpu, frames)
