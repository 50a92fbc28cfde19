"""A mouth that moves though nobody speaks: driven by silence, and in the pauses of a voice."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from .lips import Float64
from .measures import measured
from .record import Metric

# Of the way from the quietest to the loudest, in dB (5th and 95th hundredth of the sound): a room
# has a noise of its own, so that no fixed level is silence.
QUIET = 0.25
SETTLED = 5  # rows that a pause lasts before the mouth is expected to rest; a stop is shorter
LEAST = 5  # rows of pause under which nothing is said


def silence_metrics(gap: Float64, quiet: Float64, missing: str) -> tuple[Metric, ...]:
    """gap, quiet (R,): lips driven by the voice and, at the same poses and eyes, by silence."""
    known = np.isfinite(gap) & np.isfinite(quiet)
    ratio = spread = open_by = math.nan
    if known.sum() > 1 and gap[known].std() > 0:
        spread = float(quiet[known].std())
        ratio = spread / float(gap[known].std())
        low = float(np.percentile(gap[known], 5))
        open_by = float(quiet[known].mean()) - low
    deviation = f"standard deviations of the lip gap; {spread:.2f} px in silence"
    above = "over the 5th hundredth of the gap in speech"
    return (
        measured("silence", ratio, deviation, missing),
        measured("silence_open", open_by, above, missing),
    )


def pause_metrics(gap: Float64, loud: Float64, missing: str) -> tuple[Metric, ...]:
    """loud (R,) dB: where it stays low for a fifth of a second, lips rest."""
    rows = pauses(loud)
    ratio = math.nan
    known = np.isfinite(gap)
    if known.any() and (rows & known).sum() >= LEAST and gap[known].std() > 0:
        ratio = float(gap[rows & known].std() / gap[known].std())
    if known.any() and np.isfinite(loud).any():
        missing = "no long pause"
    return (measured("pauses", ratio, f"{int(rows.sum())} frames of pause", missing),)


def pauses(loud: Float64) -> NDArray[np.bool_]:
    """(R,) the sound has been quiet at this row and the four before."""
    if not np.isfinite(loud).any():
        return np.zeros(len(loud), bool)
    low, high = np.nanpercentile(loud, (5, 95))
    quiet = loud < low + QUIET * (high - low)
    out = quiet.copy()
    for back in range(1, SETTLED):
        out[back:] &= quiet[:-back]
        out[:back] = False
    return out
