"""How fast counted work goes, and texts of how much is left."""

from __future__ import annotations

import math


class Pace:
    """Work that began with the count `first` at `began` seconds."""

    def __init__(self, first: int, began: float) -> None:
        self._first, self._began = first, began

    def remaining(self, done: int, total: int, now: float) -> float | None:
        """Seconds; None in the first second and if the total is unknown."""
        spent = now - self._began
        if spent < 1 or not self._first < done <= total:
            return None
        return spent / (done - self._first) * (total - done)


def count_text(done: int, total: int, remaining: float | None) -> str:
    """ "3/10, 1:20 left"; remaining: seconds."""
    if not total:
        return str(done)
    left = "" if remaining is None or done >= total else f", {time_text(remaining)} left"
    return f"{done}/{total}{left}"


def time_text(seconds: float) -> str:
    """1:05 or 1:00:05."""
    minutes, second = divmod(math.ceil(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
