"""Mouth movement without speech: driven by silence, and in the pauses of a voice."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..records.arrays import Float64
from .measures import measured
from .record import Metric

# Share of the range of loudness in dB, 5th to 95th percentile, below which the sound is quiet: a
# room has noise, so that no fixed level is silence.
QUIET = 0.25
SETTLED = 5  # quiet rows after which the mouth should rest; the pause of a stop is shorter
MIN_ROWS = 5  # of pause, below which nothing is measured


def silence_metrics(gap: Float64, quiet: Float64, missing: str) -> tuple[Metric, ...]:
    """gap, quiet (R,): lip gaps driven by the voice and, with the same poses and eyes, by
    silence."""
    known = np.isfinite(gap) & np.isfinite(quiet)
    ratio = deviation = open_by = math.nan
    if known.sum() > 1 and gap[known].std() > 0:
        deviation = float(quiet[known].std())
        ratio = deviation / float(gap[known].std())
        low = float(np.percentile(gap[known], 5))
        open_by = float(quiet[known].mean()) - low
    note = f"ratio of standard deviations of the lip gap; {deviation:.2f} px in silence"
    above = "above the 5th percentile of the gap in speech"
    return (
        measured("silence", ratio, note, missing),
        measured("silence_open", open_by, above, missing),
    )


def pause_metrics(gap: Float64, loud: Float64, missing: str) -> tuple[Metric, ...]:
    """loud (R,) dB: a pause begins after a fifth of a second of quiet."""
    rows = pauses(loud)
    ratio = math.nan
    known = np.isfinite(gap)
    if known.any() and (rows & known).sum() >= MIN_ROWS and gap[known].std() > 0:
        ratio = float(gap[rows & known].std() / gap[known].std())
    if known.any() and np.isfinite(loud).any():
        missing = "no long pause"
    return (measured("pauses", ratio, f"{int(rows.sum())} frames of pause", missing),)


def pauses(loud: Float64) -> NDArray[np.bool_]:
    """(R,) True if the sound is quiet at this row and the four before."""
    if not np.isfinite(loud).any():
        return np.zeros(len(loud), bool)
    low, high = np.nanpercentile(loud, (5, 95))
    quiet = loud < low + QUIET * (high - low)
    out = quiet.copy()
    for back in range(1, SETTLED):
        out[back:] &= quiet[:-back]
        out[:back] = False
    return out
