"""Is the background behind a person still? Measured from the pixels that show it. Needs Pillow."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..images.pillow import resized
from ..records.arrays import Float32, Float64
from .mask_regions import Mask
from .pictures import Pixels

SIDE = 64  # pixels: means over 8 x 8 pixels of a usual frame are free of noise
MARGIN = 2  # pixels at that size that are kept off the person
PART = 90  # percentile of the pixels: a tenth of the background must show a change
# Grey levels. An edge of 2 to 3 % of the range is seen, so a picture that is wrong by more shows
# around the head.
STILL = 6.0
JUMP = 3.0  # a change between two frames that is so many times the usual one is a jump
MOST_JUMPS = 6  # more of them are a moving background
ZOOMED = 0.01  # logarithm by which frames of the usual background may be enlarged
SLOW = 0.5  # neighbours of a drifting background differ by less than this share of any two frames


@dataclass(frozen=True)
class Motion:
    """kind: "still", "drifts", "jumps", "zooms" or "moves". change: grey levels by which the
    background differs from the clip's one picture, in a tenth of its pixels and of the frames.
    jumps: indices of the frames after a jump. alike: indices of the frames whose background is the
    most usual one, from which the clip's picture is made."""

    kind: str
    change: float
    jumps: tuple[int, ...]
    alike: tuple[int, ...]


def reduced(pixels: Pixels) -> Float32:
    """(SIDE, SIDE, 3) the frame as `judge` needs it."""
    return resized(pixels, SIDE, SIDE, "BOX").astype(np.float32)


def judge(frames: Sequence[Float32], empty: Sequence[Mask]) -> Motion:
    """frames: some of the clip in order, as of `reduced`; empty (SIDE, SIDE): pixels of each that
    are surely background."""
    count = len(frames)
    apart = np.zeros((count, count), np.float32)
    channels = [np.ascontiguousarray(frame.reshape(-1, 3).T) for frame in frames]
    where = [mask.ravel() for mask in empty]
    for a in range(count):
        for b in range(a + 1, count):
            apart[a, b] = apart[b, a] = _quick_difference(
                channels[a], channels[b], where[a] & where[b]
            )
    # The frame with the most others like it shows the usual background.
    usual = int((apart < STILL).sum(1).argmax())
    alike = np.flatnonzero(apart[usual] < STILL)
    change = float(np.percentile(_from_median(frames, empty), 90))
    steps = np.diagonal(apart, 1)
    typical = float(np.median(steps)) if len(steps) else 0.0
    jumps = np.flatnonzero(steps > max(STILL, JUMP * typical)) + 1
    return Motion(
        _kind(change, typical, jumps, apart), round(change, 2),
        tuple(map(int, jumps)), tuple(map(int, alike)),
    )  # fmt: skip


def zooming(motion: Motion, zooms: Float64) -> Motion:
    """The same of a film that zooms slowly. zooms (K,): logarithms of the frames' scales."""
    near = np.abs(zooms[:, None] - zooms) <= ZOOMED
    usual = np.flatnonzero(near[int(near.sum(1).argmax())])
    return replace(motion, kind="zooms", jumps=(), alike=tuple(map(int, usual)))


def _kind(change: float, typical: float, jumps: NDArray[np.intp], apart: Float32) -> str:
    if change <= STILL and not len(jumps):
        return "still"
    if 0 < len(jumps) <= MOST_JUMPS:
        return "jumps"
    usual = float(np.median(apart[np.triu_indices(len(apart), 1)]))
    return "drifts" if not len(jumps) and typical < SLOW * usual else "moves"


def _difference(a: Float32, b: Float32, where: Mask) -> float:
    if not where.any():
        return 0.0
    return float(np.percentile(np.abs(a[where] - b[where]).max(1), PART))


def _quick_difference(a: Float32, b: Float32, where: Mask) -> float:
    """`_difference` of (3, n) pixels, in a fifth of the time: there are thousands of pairs."""
    change = np.abs(a - b)
    values = np.maximum(np.maximum(change[0], change[1]), change[2])[where]
    if not len(values):
        return 0.0
    place = (len(values) - 1) * PART / 100
    low = int(place)
    part = np.partition(values, (low, min(low + 1, len(values) - 1)))[low : low + 2]
    return float(part[0] + (part[-1] - part[0]) * np.float32(place - low))


def _from_median(frames: Sequence[Float32], empty: Sequence[Mask]) -> list[float]:
    """How far each frame is from the median of all."""
    shown = np.stack(
        [np.where(e[..., None], f, np.nan) for f, e in zip(frames, empty, strict=True)]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # pixels that are never empty
        middle = np.nanmedian(shown, 0).astype(np.float32)
    return [
        _difference(frame, middle, there & np.isfinite(middle[..., 0]))
        for frame, there in zip(frames, empty, strict=True)
    ]
