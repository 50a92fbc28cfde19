"""Puts the pieces of a sound where their times say: holes stay silent, overlaps are replaced, a
recorder's clock that runs fast or slow is followed."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ...records.arrays import Float32, Float64

JUMP = 0.03  # seconds from the end of a piece to the next one; less is inaccuracy of the times
SPAN = 1.0  # seconds over which inaccurate times are averaged
STEADY = 0.002  # seconds by which averaged times may deviate before the sound is stretched
HOLE = 0.1  # seconds; shorter holes are not reported

Timed = tuple[float, Float32]  # seconds of the first sample, (n,) samples


def placed(
    pieces: Iterable[Timed], rate: int, length: int
) -> tuple[Float32, list[tuple[float, float]]]:
    """(length,) samples at `rate` Hz from the time 0 on, and the times without sound as (begin,
    end) in seconds. pieces: in the order of the file."""
    out = np.zeros(length, np.float32)
    holes: list[tuple[float, float]] = []
    run: list[Timed] = []  # pieces that follow each other
    end = 0.0

    def pause(time: float) -> None:
        begin, stop = max(end, 0.0), min(time, length / rate)
        if stop - begin > HOLE:
            holes.append((begin, stop))

    for time, samples in pieces:
        if run and abs(time - end) > JUMP:
            _place(run, rate, out)
            run = []
        pause(time)
        run.append((time, samples))
        end = time + len(samples) / rate
    if run:
        _place(run, rate, out)
    pause(length / rate)
    return out, holes


def _place(run: list[Timed], rate: int, out: Float32) -> None:
    """Write the samples of one run to their places."""
    samples = np.concatenate([piece for _, piece in run])
    index, late = _lateness(run, rate)
    if np.ptp(late) <= STEADY:
        begin = round(float(np.median(late)) * rate)
    else:
        index = np.concatenate([[0.0], index, [len(samples)]])
        times = index / rate + np.concatenate([late[:1], late, late[-1:]])
        begin = round(times[0] * rate)
        wanted = np.arange(begin, round(times[-1] * rate)) / rate
        sources = np.interp(wanted, times, index)
        samples = np.interp(sources, np.arange(len(samples)), samples).astype(np.float32)
    lo, hi = max(begin, 0), min(begin + len(samples), len(out))
    if lo < hi:
        out[lo:hi] = samples[lo - begin : hi - begin]


def _lateness(run: list[Timed], rate: int) -> tuple[Float64, Float64]:
    """For every second of a run: the middle sample's index, and by how many seconds its time lies
    after index / rate."""
    sizes = np.array([len(piece) for _, piece in run])
    first = np.cumsum(sizes) - sizes
    late = np.array([time for time, _ in run]) - first / rate
    span = (first / (SPAN * rate)).astype(int)
    groups = np.split(np.arange(len(run)), np.flatnonzero(np.diff(span)) + 1)
    middles = [(first[group[0]] + first[group[-1]] + sizes[group[-1]]) / 2 for group in groups]
    return np.array(middles), np.array([np.median(late[group]) for group in groups])
