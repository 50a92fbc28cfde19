"""Converts between scene frames, seconds and track rows. All other modules count in seconds."""

from __future__ import annotations

import math
import re

from ..errors import ArgumentError

ROW_RATE = 25.0  # rows of sound windows, poses and eyes per second (the method's own rate)

# A frame number divided by a frame rate misses a row only by rounding: within this distance it
# counts as the row, so that every path gets bit-identical input.
SNAP = 1e-5

MAX_FRAMES = 100_000  # more than an hour at 25 frames a second


def seconds_of_frame(frame: float, first_frame: float, fps: float) -> float:
    """Seconds between `first_frame` and `frame` at `fps` frames a second."""
    if not (fps > 0 and math.isfinite(fps)):
        raise ArgumentError(f"frame rate {fps:g} must be a positive number")
    return (frame - first_frame) / fps


def row_of_seconds(seconds: float, rate: float = ROW_RATE) -> tuple[int, float]:
    """(row, weight): the value at `seconds` is (1 - weight) * row + weight * (row + 1)."""
    position = seconds * rate
    nearest = round(position)
    if abs(position - nearest) < SNAP:
        return int(nearest), 0.0
    row = math.floor(position)
    return row, position - row


def ping_pong(row: int, count: int) -> int:
    """Row of a track of `count` rows that plays forwards and backwards for ever."""
    if count <= 1:
        return 0
    period = 2 * (count - 1)
    row %= period
    return row if row < count else period - row


def parse_frames(text: str) -> tuple[int, ...]:
    """ "1-100", "5", "1-10,20" or "1-99:2" (each second one; OpenCue writes "1-99x2"): the
    frames in that order, each once. Raises ArgumentError."""
    frames: dict[int, None] = {}
    for part in text.split(","):
        match = re.fullmatch(
            r"\s*(\d{1,9})(?:\s*-\s*(\d{1,9})(?:\s*[:x]\s*(\d{1,9}))?)?\s*", part, re.ASCII
        )
        if not match:
            raise ArgumentError(
                f"frames {text!r} are not a range; give for example 1-100, 5 or 1-10,20"
            )
        first, last, step = int(match[1]), int(match[2] or match[1]), int(match[3] or 1)
        if step < 1:
            raise ArgumentError(f"frames {part.strip()!r} have step 0; give 1 or more")
        if last < first:
            raise ArgumentError(f"frames {part.strip()!r} run backwards; give {last}-{first}")
        if last - first >= MAX_FRAMES or len(frames) + last - first >= MAX_FRAMES:
            raise ArgumentError(f"frames {text!r} are more than {MAX_FRAMES}; bake them in parts")
        frames.update(dict.fromkeys(range(first, last + 1, step)))
    return tuple(frames)
