"""The order in which frames are computed, and the frame to show until then. Plain functions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

AHEAD, BEHIND = 24, 8  # frames to prefetch around a playhead at rest
MAX_STEP = 12  # frames; a longer jump is a click and has no direction


def frame_range(scene: Any) -> tuple[int, int]:
    """First and last frame of playback."""
    if scene.use_preview_range:
        return scene.frame_preview_start, scene.frame_preview_end
    return scene.frame_start, scene.frame_end


def direction_of(before: float, now: float, last_direction: int, playing: bool) -> int:
    """1 forwards, -1 backwards, 0 unknown. In playback a jump means that the range starts again."""
    step = now - before
    if step == 0:
        return last_direction or int(playing)
    if abs(step) > MAX_STEP:
        return (last_direction or 1) if playing else 0
    return 1 if step > 0 else -1


def lead_of(seconds: float, speed: float) -> int:
    """How many frames ahead of the playhead to begin, so that a frame that takes `seconds` is ready
    in time. speed: frames per second. One frame more than the playhead passes in that time, since
    it may be about to leave the current one."""
    return 1 + math.ceil(seconds * speed)


def speed_of(before: float, step: float, seconds: float, fps: float) -> float:
    """Measured playback speed in frames per second, smoothed; without sync, a slow window plays
    slowly. before: the previous result; step: frames that the playhead moved in `seconds`."""
    if seconds <= 0 or abs(step) > fps:  # the range started again
        return before
    return min(fps, (before + abs(step) / seconds) / 2)


def playing_order(
    frame: int, direction: int, lead: int, first: int, last: int, count: int = AHEAD
) -> list[int]:
    """The next frames of playback: first those that can be ready in time, then those that the
    playhead passes before, for the next loop. At the end of the range, playback starts again."""
    sign = direction or 1
    steps = [*range(lead, lead + count), *range(lead)]
    return list(dict.fromkeys(_wrapped(frame + sign * step, first, last) for step in steps))


def resting_order(frame: int, direction: int, first: int, last: int) -> list[int]:
    """The frame itself, then its neighbours within the range, nearest first; more of them in the
    direction of the last movement."""
    return [frame, *(f for f in _neighbours(frame, direction) if first <= f <= last)]


def nearest(frame: int, direction: int, reach: int, ready: Callable[[int], bool]) -> int | None:
    """The frame to show while `frame` is not ready: the last ready one that the playhead passed, at
    most `reach` frames ago. Never a frame ahead of the playhead."""
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
    """The frame, moved into the range as a loop does."""
    return first + (frame - first) % (last - first + 1) if last >= first else frame
