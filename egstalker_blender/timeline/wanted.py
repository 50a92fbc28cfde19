"""Which frames are worth computing, and which one to show meanwhile. Plain functions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

AHEAD, BEHIND = 24, 8  # frames that are prefetched around a playhead that stands still
MAX_STEP = 12  # a playhead that jumps farther was clicked, and says nothing of a direction


def frame_range(scene: Any) -> tuple[int, int]:
    """First and last frame that playback shows."""
    if scene.use_preview_range:
        return scene.frame_preview_start, scene.frame_preview_end
    return scene.frame_start, scene.frame_end


def direction_of(before: float, now: float, last_direction: int, playing: bool) -> int:
    """1 forwards, -1 backwards, 0 unknown. While playing, a jump is the loop's start again."""
    step = now - before
    if step == 0:
        return last_direction or int(playing)
    if abs(step) > MAX_STEP:
        return (last_direction or 1) if playing else 0
    return 1 if step > 0 else -1


def lead_of(seconds: float, speed: float) -> int:
    """How many frames ahead of a playhead that moves `speed` frames a second one must begin that
    takes `seconds`. One more than it passes meanwhile: it may be about to leave its own."""
    return 1 + math.ceil(seconds * speed)


def speed_of(before: float, step: float, seconds: float, fps: float) -> float:
    """Frames a second that playback really makes, smoothed: a slow window without sync shows every
    frame, late. before: the last answer; step: frames that the playhead moved in `seconds`."""
    if seconds <= 0 or abs(step) > fps:  # the loop began again
        return before
    return min(fps, (before + abs(step) / seconds) / 2)


def playing_order(
    frame: int, direction: int, lead: int, first: int, last: int, count: int = AHEAD
) -> list[int]:
    """The frames that the playhead comes to, those that can be ready in time first; then what it
    runs over meanwhile, for the next time round. Playback goes on at the other end of the range."""
    sign = direction or 1
    steps = [*range(lead, lead + count), *range(lead)]
    return list(dict.fromkeys(_wrapped(frame + sign * step, first, last) for step in steps))


def resting_order(frame: int, direction: int, first: int, last: int) -> list[int]:
    """The frame itself, then its neighbours within the range, nearest first and farther in the
    direction of the last movement."""
    return [frame, *(f for f in _neighbours(frame, direction) if first <= f <= last)]


def nearest(frame: int, direction: int, reach: int, ready: Callable[[int], bool]) -> int | None:
    """The frame to show while `frame` is not ready: the last one that the playhead passed, at most
    `reach` frames ago. Never one that is still to come."""
    sign = direction or 1
    for distance in range(reach + 1):
        if ready(frame - sign * distance):
            return frame - sign * distance
    return None


def _neighbours(frame: int, direction: int) -> Iterator[int]:
    sign = direction or 1
    behind = BEHIND if direction else AHEAD
    for distance in range(1, AHEAD + 1):
        yield frame + sign * distance
        if distance <= behind:
            yield frame - sign * distance


def _wrapped(frame: int, first: int, last: int) -> int:
    """Only a frame that has left the range comes back at its other end."""
    return first + (frame - first) % (last - first + 1) if last >= first else frame
