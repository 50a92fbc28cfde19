"""Synthetic blinks as a pure function of time: the same at any frame rate, in any order of frames
and on any machine."""

from __future__ import annotations

import math

SLOT = 1.0  # seconds; at most one blink begins in each
MAX_PER_MINUTE = 60.0 / SLOT
MAX_DURATION = 1.0  # seconds
JITTER = 0.5  # of a slot: two blinks begin at least half a slot apart

# Parts of a blink: lids fall faster than they rise.
CLOSED_AT = 0.25
OPENS_AT = 0.35

_MASK = (1 << 64) - 1


def blink_at(seconds: float, seed: int, per_minute: float, duration: float) -> float:
    """Eye closure in [0, 1]. In each slot of a second at most one blink begins, on average in
    `per_minute` (0 to 60) of 60 slots; a higher rate adds blinks and moves none. duration: of a
    blink, up to 1 second. seconds: from any origin, may be negative."""
    duration = min(duration, MAX_DURATION)
    share = per_minute / MAX_PER_MINUTE
    if not (duration > 0 and share > 0 and math.isfinite(seconds)):
        return 0.0
    slot = math.floor(seconds / SLOT)
    closure = 0.0
    for candidate in (slot - 1, slot):  # a blink of the previous slot may not be over
        if _uniform(seed, candidate, 0) < share:
            onset = (candidate + JITTER * _uniform(seed, candidate, 1)) * SLOT
            closure = max(closure, blink_shape((seconds - onset) / duration))
    return closure


def blink_shape(part: float) -> float:
    """Closure over one blink; part: 0 at its beginning, 1 at its end."""
    if not 0.0 < part < 1.0:
        return 0.0
    if part < CLOSED_AT:
        return _ease(part / CLOSED_AT)
    return _ease((1.0 - part) / (1.0 - OPENS_AT)) if part > OPENS_AT else 1.0


def _ease(x: float) -> float:
    return x * x * (3.0 - 2.0 * x)


def _uniform(seed: int, slot: int, stream: int) -> float:
    """A number in [0, 1) by SplitMix64, from integers only: the same on every machine."""
    state = (seed * 0x9E3779B97F4A7C15 + slot * 0xD1B54A32D192ED03 + stream) & _MASK
    for _ in range(2):
        state = (state + 0x9E3779B97F4A7C15) & _MASK
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
        state ^= state >> 31
    return (state >> 11) / 2.0**53
