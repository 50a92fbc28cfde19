"""One row of the bench table, and the sizes that every table measures."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from ..records.avatar import Avatar
from ..records.gaussians import rows_of

Item = TypeVar("Item")

COUNTS = (35_000, 60_000, 120_000)
SIZES = ((512, 512), (1920, 1080))


@dataclass(frozen=True)
class Row:
    """One stage on one backend: milliseconds a frame, over `runs` frames after the first, which
    compiles and fills caches (`first_ms`). cpu_ms: the least CPU time of a frame, summed over all
    threads; on a busy machine it is more reliable than the clock."""

    stage: str
    backend: str
    median_ms: float
    min_ms: float
    first_ms: float
    cpu_ms: float
    runs: int


def per_item(
    stage: str, backend: str, work: Callable[[Item], object], items: Sequence[Item]
) -> Row:
    """Like `measured`, for work that continues during the next item: its time is the mean over all
    items after the first."""
    starts = []
    for item in items:
        starts.append((time.perf_counter(), time.process_time()))
        work(item)
    ends = (time.perf_counter(), time.process_time())
    later = max(1, len(items) - 1)
    clock, cpu = (1e3 * (ends[k] - starts[-later][k]) / later for k in (0, 1))
    first = (starts[1][0] if len(items) > 1 else ends[0]) - starts[0][0]
    return Row(stage, backend, clock, clock, first * 1e3, cpu, later)


def measured(
    stage: str, backend: str, work: Callable[[Item], object], items: Iterable[Item]
) -> Row:
    """Time `work(item)` for each item."""
    times, cpu = [], []
    for item in items:
        start, busy = time.perf_counter(), time.process_time()
        work(item)
        times.append((time.perf_counter() - start) * 1e3)
        cpu.append((time.process_time() - busy) * 1e3)
    later = times[1:] or times
    least = min(cpu[1:] or cpu)
    return Row(stage, backend, statistics.median(later), min(later), times[0], least, len(later))


def resampled(avatar: Avatar, count: int) -> Avatar:
    """The avatar with `count` Gaussians, drawn from its own. The first ones, the agents of its
    attention, stay."""
    gaussians = avatar.gaussians
    kept = avatar.network.agents if avatar.network else 0
    kept = min(kept, count, len(gaussians))
    rng = np.random.default_rng(0)
    chosen = np.r_[:kept, rng.integers(0, len(gaussians), count - kept)]
    return replace(
        avatar, gaussians=rows_of(gaussians, chosen), frozen_gaussians=None, content_hash=""
    )
