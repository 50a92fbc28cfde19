"""How far the eyes are closed in every frame: from au.csv, else bs.npy, else the landmarks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..audio.npy import load_array
from ..errors import AudioError, DatasetError
from ..records.arrays import Float32, Float64
from .eye_table import SHUT as SHUT_UNIT
from .eye_table import read_table
from .landmarks import LEFT_EYE, RIGHT_EYE

BLINKS = (9, 10)  # eyeBlinkLeft and -Right of MediaPipe's 52 blendshapes, which bs.npy holds
SHAPES = 52
MAX_MISSING = 5  # frames that bs.npy may lack
OPEN_RANK = 70  # percentile of the aspect ratio at which the eyes count as open
NEVER_SHUT = 0.62  # of the open ratio: a clip that never goes below has no blink to scale by
SHUT = 0.35  # of the open ratio: closed, in such a clip
# Of an au.csv: a table that closes no eye farther than the first has no shut eye or runs from 0 to
# 1; one of the latter kind goes no farther than the second.
SHUT_SOMEWHERE, HALF = 0.6, 0.5
SURELY_SHUT, SHUT_FRAMES = 0.8, 3  # closure by the landmarks; frames that must show it
MIN_SEEN = 0.5  # of the frames must have landmarks to measure the eyes


def read_eyes(
    folder: Path, count: int, landmarks: Callable[[], Float32], notes: list[str]
) -> Float64:
    """(count,) closure in [0, 1] by frame. landmarks: gives (count, 68, 2), NaN where a frame has
    none. An au.csv that surely runs from 0 to 1, not to 2 and more, is scaled. DatasetError if a
    file is damaged or belongs to another clip; where the values come from, if not from au.csv, is
    noted."""
    if (folder / "au.csv").exists():
        closed = read_table(folder / "au.csv", count, notes)
        if not count or closed.max() > SHUT_SOMEWHERE:  # without poses there are no frames
            return closed
        return _never_shut(closed, landmarks, notes)
    if (folder / "bs.npy").exists():
        notes.append("no au.csv: the eyes follow eyeBlink of bs.npy")
        return _from_blendshapes(folder / "bs.npy", count)
    points = landmarks()
    seen = np.isfinite(points).all(axis=(1, 2))
    if seen.sum() <= MIN_SEEN * count:
        notes.append("no au.csv: the eyes stay open")
        return np.zeros(count)
    notes.append("no au.csv: the eyes were measured from the landmarks")
    ratios = aspect_ratios(points[seen].astype(np.float64))
    return closure_of(np.interp(np.arange(count), np.flatnonzero(seen), ratios))


def _never_shut(closed: Float64, landmarks: Callable[[], Float32], notes: list[str]) -> Float64:
    """The closure (F,) of a table in which no eye is shut: doubled if the landmarks show eyes that
    are shut where the table reads half of that, so that it surely runs from 0 to 1."""
    if closed.max() <= HALF:
        points = landmarks()
        seen = np.isfinite(points).all(axis=(1, 2))
        if seen.sum() > MIN_SEEN * len(closed):
            ratios = aspect_ratios(points[seen].astype(np.float64))
            blinks = np.percentile(ratios, 0.5) < HALF * np.percentile(ratios, OPEN_RANK)
            shut = closed[seen][closure_of(ratios) > SURELY_SHUT]
            if blinks and len(shut) >= SHUT_FRAMES and np.median(shut) > HALF * SURELY_SHUT:
                notes.append(
                    "au.csv runs from 0 to 1, as the landmarks show: its values count twice"
                )
                return np.minimum(2 * closed, 1.0)
    notes.append(
        f"the largest AU45_r in au.csv is {SHUT_UNIT * closed.max():.2f}: its eyes never close "
        f"(closed is {SHUT_UNIT:g} and more); if the table runs from 0 to 1, multiply that column "
        f"by {SHUT_UNIT:g}"
    )
    return closed


def closure_of(ratios: Float64) -> Float64:
    """(F,) from 0 (open as usual for this person) to 1 (closed) of the eyes' height over width."""
    usual = float(np.percentile(ratios, OPEN_RANK))
    shut = float(np.percentile(ratios, 0.5))
    if shut > NEVER_SHUT * usual:
        shut = SHUT * usual
    return np.asarray(np.clip((usual - ratios) / max(usual - shut, 1e-6), 0, 1))


def aspect_ratios(landmarks: Float64) -> Float64:
    """(F,) height over width of the eyes in (F, 68, 2), the mean of both."""

    def apart(a: int, b: int) -> Float64:
        return np.asarray(np.linalg.norm(landmarks[:, a] - landmarks[:, b], axis=1))

    both = []
    for outer, upper_a, upper_b, inner, lower_b, lower_a in (RIGHT_EYE, LEFT_EYE):
        height = apart(upper_a, lower_a) + apart(upper_b, lower_b)
        both.append(height / 2 / np.maximum(apart(outer, inner), 1e-6))
    return np.asarray(np.mean(both, 0))


def _from_blendshapes(path: Path, count: int) -> Float64:
    try:
        shapes = load_array(path)
    except AudioError as error:
        raise DatasetError(str(error)) from None
    allowed = min(MAX_MISSING, count // 10)
    if shapes.ndim != 2 or shapes.shape[1] != SHAPES or len(shapes) < count - allowed:
        raise DatasetError(
            f"{path} has shape {shapes.shape}, not ({count}, {SHAPES}): it is of another clip or "
            "another tool; remove it and the eyes are measured from the landmarks"
        )
    blinks = shapes[:, BLINKS].astype(np.float64).mean(1)[:count]
    return np.clip(np.pad(blinks, (0, count - len(blinks)), mode="edge"), 0, 1)
