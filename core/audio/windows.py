"""From steps to the windows that the network takes: normalised, one row a frame."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import AudioError, FeatureMismatchError
from ..records.audio_track import AROUND, MARGIN, AudioTrack
from ..records.feature_spec import NORMALISATIONS, OUTSIDE, FeatureSpec, MouthMap
from ..records.timeline import ROW_RATE

MAX_STEPS = 64  # limit of window, stride and pad
MAX_BYTES = 1 << 32  # of a track; six hours of windows of 16 x 29 are a quarter of it
FLAT = 1e-5  # a value that deviates less than this over a clip is constant, and becomes 0


@dataclass(frozen=True)
class Part:
    """Some rows of a long sound. rows: at least one, MARGIN outside at most. first_step: the step
    that the computed steps begin with."""

    rows: range
    first_step: int


def check_spec(spec: FeatureSpec) -> None:
    """FeatureMismatchError if the windows that an avatar asks for are impossible."""
    sizes = (spec.dim, spec.window, spec.stride)
    if min(sizes) < 1 or spec.pad < 0 or max(spec.window, spec.stride, spec.pad) > MAX_STEPS:
        wrong = f"windows of {spec.window} x {spec.dim}, stride {spec.stride}, pad {spec.pad}"
    elif not math.isclose(spec.rate, ROW_RATE * spec.stride):
        wrong = f"{spec.rate:g} steps a second at stride {spec.stride}, not {ROW_RATE:g} rows"
    elif spec.normalisation not in NORMALISATIONS:
        wrong = f"the unknown normalisation {spec.normalisation!r}"
    elif spec.outside not in OUTSIDE:
        wrong = f"the unknown {spec.outside!r} around the sound"
    elif spec.normalisation == "fixed" and not (len(spec.mean) == len(spec.std) == spec.dim):
        wrong = (
            f"a mean of {len(spec.mean)} and a deviation of {len(spec.std)} for {spec.dim} values"
        )
    elif not all(math.isfinite(value) for value in (*spec.mean, *spec.std)) or (
        spec.normalisation == "fixed" and min(spec.std) <= 0
    ):
        wrong = "a mean or deviation that is not finite, or a deviation that is not positive"
    elif spec.mouth is not None and (fault := _wrong_mouth(spec, spec.mouth)):
        wrong = fault
    else:
        return
    raise FeatureMismatchError(f"the avatar asks for {wrong}; convert or train it again")


def _wrong_mouth(spec: FeatureSpec, mouth: MouthMap) -> str | None:
    numbers = len(mouth.bias)
    if mouth.bins < 1 or spec.window % mouth.bins:
        return f"{mouth.bins} equal parts of a window of {spec.window} steps"
    limits = (len(mouth.low), len(mouth.high))
    if len(mouth.weights) != numbers * mouth.bins * spec.dim or limits != (numbers, numbers):
        return f"{numbers} numbers of the mouth from a map of {len(mouth.weights)} weights"
    if mouth.shut is not None:
        sizes = (len(mouth.shut.weights), len(mouth.shut.bias), len(mouth.shut.closed))
        if sizes != (2 * mouth.bins * spec.dim, 2, numbers):
            return f"a mouth that two maps of {sizes[0]} weights shut to {sizes[2]} numbers"
    return None


def normalise(
    steps: NDArray[np.float32], spec: FeatureSpec, clip: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """(T, D) float32 raw steps, normalised as in the avatar's training. clip: the steps whose mean
    and deviation "clip" uses, if not these."""
    clip = steps if clip is None else clip
    if spec.normalisation == "none" or not len(steps):
        return steps
    if spec.normalisation == "clip":
        mean = clip.mean(0, dtype=np.float64)
        std = clip.std(0, dtype=np.float64)
        std = np.where(std < FLAT, np.inf, std)
    else:
        mean, std = np.array(spec.mean), np.array(spec.std)
    return ((steps - mean) / std).astype(np.float32)


def steps_of(rows: range, spec: FeatureSpec, count: int) -> range:
    """Those of `count` steps that are in the windows of these rows, and of the rows that the
    network sees with them; at least one step."""
    first = spec.stride * (rows.start - AROUND // 2) - spec.pad
    last = spec.stride * (rows.stop - 1 + AROUND // 2) - spec.pad + spec.window
    first = min(max(first, 0), count - 1)
    return range(first, max(min(last, count), first + 1))


def windowed(
    steps: NDArray[np.float32],
    spec: FeatureSpec,
    rows: int,
    outside: NDArray[np.float32] | None = None,
    part: Part | None = None,
) -> AudioTrack:
    """`rows` windows of (T, D) normalised steps: row i holds steps stride * i - pad and the
    window - 1 after it (docs/method.md §5.3). outside (D,): the step where there are none; None
    means zeros and no margin, as in the official loader. part: which of them `steps` are.
    AudioError if the windows would not fit into memory."""
    margin = 0 if outside is None else MARGIN
    first, last = -margin, rows + margin
    if part is not None:
        first = max(first, part.rows.start - AROUND // 2)
        last = min(last, part.rows.stop + AROUND // 2)
    count = max(last - first, 0)
    needed = 4 * count * spec.window * spec.dim
    if needed > MAX_BYTES:
        raise AudioError(
            f"the sound makes {count} windows of {spec.window} x {spec.dim}, {needed / 1e9:.0f} "
            "GB; cut it into parts"
        )
    length = (max(count, 1) - 1) * spec.stride + spec.window
    padded = np.zeros((length, spec.dim), np.float32)
    if outside is not None:
        padded[:] = outside
    # The place of steps[0] in `padded`.
    at = spec.pad - spec.stride * first + (0 if part is None else part.first_step)
    lo, hi = max(at, 0), min(at + len(steps), length)
    if lo < hi:
        padded[lo:hi] = steps[lo - at : hi - at]
    views = np.lib.stride_tricks.sliding_window_view(padded, spec.window, axis=0)
    windows = np.ascontiguousarray(views[:: spec.stride][:count].transpose(0, 2, 1))
    whole = None if outside is None else np.tile(outside, (spec.window, 1))
    if part is None:
        return AudioTrack(windows, whole, margin)
    return AudioTrack(windows, whole, margin, first, rows)
