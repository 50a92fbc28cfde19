"""Frame ranges as farms write them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

CHUNK = 250  # frames of a task: Blender's start then takes a small part of it


def frames_text(frames: Sequence[int]) -> str:
    """The frames, sorted, as `parse_frames` and Open Job Description read them: "1-100", "1-10,20"
    or, with one step throughout, "1-99:2"."""
    numbers = sorted(set(frames))
    steps = {after - before for before, after in pairwise(numbers)}
    if len(numbers) > 2 and len(steps) == 1 and steps != {1}:
        return f"{numbers[0]}-{numbers[-1]}:{steps.pop()}"
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)
