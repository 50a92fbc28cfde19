"""Feature files from other programs: .npy arrays of ready windows or of steps, never of objects.

Training, rendering, the worker and the evaluation read them here, in the shapes that scripts of the
field write: (T, D) steps, 50 a second; (F, 2, D) or (F, D, 2) two steps a row, 25 rows a second
(HuBERT); (F, 16, D) or (F, D, 16) ready windows (DeepSpeech, wav2vec)."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..errors import ArgumentError, AudioError, FeatureMismatchError
from ..formats.npy import read_header
from ..records.audio_track import AudioTrack
from ..records.feature_spec import FeatureSpec
from ..system.files import open_regular
from .extractor import COMPUTED
from .mouth import mouth_track
from .waveform import MAX_SECONDS
from .windows import check_spec, normalise, windowed

MAX_FILE_BYTES = 1 << 34
WINDOW, PAD = 16, 8  # steps of a ready window, and those before its own row
STRIDE = 2  # steps of a row
# Axis of the steps, axis of the values, steps that the layout has.
LAYOUTS = ((1, 2, WINDOW), (2, 1, WINDOW), (1, 2, STRIDE), (2, 1, STRIDE))


def track_from_npy(
    path: Path, spec: FeatureSpec, seconds: float | None = None, rate: float | None = None
) -> AudioTrack:
    """The track of a feature file of half, single or double floats.

    Ready windows, 25 a second, in the official order, are used unchanged: their author decides
    whether they are normalised (DeepSpeech's are not, the talker clip's are). Only if the avatar
    was trained on raw steps of another program, they are raw too and are normalised as its header
    says. An avatar with shorter windows gets their middle.
    Steps at `rate` a second (or over `seconds`; neither: at the avatar's rate) are resampled
    linearly to the avatar's rate, normalised as its header says, and windowed.

    AudioError: not a feature file, cut off, not finite. FeatureMismatchError: sizes other than the
    avatar's. ArgumentError: an impossible `rate` or `seconds`."""
    path = Path(path)
    check_spec(spec)
    array = load_array(path)
    if _is_windows(array.shape, spec, path.name):
        return mouth_track(AudioTrack(_own_windows(array, spec)), spec)
    steps = as_steps(array, spec.dim)
    steps = _at_rate(steps, spec.rate, _rate_of(len(steps), spec.rate, seconds, rate))
    rows = -(-len(steps) // spec.stride)
    return mouth_track(windowed(normalise(steps, spec), spec, rows), spec)


def rows_of_npy(path: Path, spec: FeatureSpec) -> int:
    """The rows of track_from_npy, by the file's header alone. AudioError, FeatureMismatchError."""
    file, size = open_regular(path, AudioError, MAX_FILE_BYTES)
    with file:
        shape, _ = _checked_header(file, size, path.name)
    if _is_windows(shape, spec, path.name):
        return shape[0]
    steps = shape[0] * (1 if len(shape) == 2 else STRIDE)
    return -(-steps // spec.stride)


def load_features(path: Path) -> NDArray[np.float32]:
    """(F, 16, D) ready windows or (T, D) steps of a file whose D is not known yet. AudioError."""
    array = load_array(path)
    if array.ndim == 2:
        return array
    found = _layout(array.shape, None)
    if found is None:
        raise AudioError(
            f"{path.name} has shape {array.shape}; give (rows, {WINDOW}, values), (rows, {STRIDE}, "
            "values) or (steps, values)"
        )
    return _turned(array, found) if found[2] == WINDOW else as_steps(array, None)


def as_steps(array: NDArray[np.float32], dim: int | None) -> NDArray[np.float32]:
    """(T, D) of (T, D) or of two steps a row."""
    found = _layout(array.shape, dim) if array.ndim == 3 else None
    return array if found is None else _turned(array, found).reshape(-1, array.shape[found[1]])


def _layout(shape: tuple[int, ...], dim: int | None) -> tuple[int, int, int] | None:
    """The one of LAYOUTS that a shape of three numbers has: of two the one with more values."""
    fits = [
        (steps, values, count)
        for steps, values, count in LAYOUTS
        if shape[steps] == count and dim in (None, shape[values])
    ]
    return max(fits, key=lambda layout: shape[layout[1]], default=None)


def _turned(array: NDArray[np.float32], layout: tuple[int, int, int]) -> NDArray[np.float32]:
    return np.ascontiguousarray(array if layout[0] == 1 else array.transpose(0, 2, 1))


def _is_windows(shape: tuple[int, ...], spec: FeatureSpec, name: str) -> bool:
    """True for windows, False for steps. FeatureMismatchError for sizes that are not the
    avatar's."""
    if len(shape) == 2:
        if shape[1] != spec.dim:
            raise FeatureMismatchError(
                f"{name} has {shape[1]} values a step and the avatar was trained on "
                f"{spec.kind} features of {spec.dim}; give features of that kind"
            )
        return False
    if shape[1:] == (spec.window, spec.dim):
        return True
    found = _layout(shape, spec.dim)
    cut = PAD - spec.pad
    if found is not None and (found[2] == STRIDE or 0 <= cut <= WINDOW - spec.window):
        return found[2] == WINDOW
    raise FeatureMismatchError(
        f"{name} has windows of {shape[1]} x {shape[2]} and the avatar was trained on {spec.kind} "
        f"windows of {spec.window} steps x {spec.dim} values; give features of that kind"
    )


def _own_windows(array: NDArray[np.float32], spec: FeatureSpec) -> NDArray[np.float32]:
    """(F, spec.window, D) of ready windows."""
    if array.shape[1:] != (spec.window, spec.dim):
        found = _layout(array.shape, spec.dim)
        assert found is not None
        cut = PAD - spec.pad
        array = _turned(array, found)[:, cut : cut + spec.window]
    raw = spec.normalisation == "fixed" and spec.kind not in COMPUTED
    return np.ascontiguousarray(normalise(array, spec) if raw else array)


def _rate_of(steps: int, default: float, seconds: float | None, rate: float | None) -> float:
    """Steps a second of a file of `steps` steps."""
    for name, value in (("length", seconds), ("rate", rate)):
        if value is not None and not (math.isfinite(value) and value > 0):
            raise ArgumentError(f"{name} {value:g} of the features must be a positive number")
    if rate is None:
        rate = default if seconds is None else steps / seconds
    if steps > MAX_SECONDS * rate:
        raise ArgumentError(
            f"{steps} steps at {rate:g} a second last longer than {MAX_SECONDS // 3600} hours; "
            "check the rate of the features"
        )
    return rate


def _at_rate(steps: NDArray[np.float32], wanted: float, rate: float) -> NDArray[np.float32]:
    """(T', D): linear between steps, step k at k / rate seconds; at the same rate unchanged."""
    count = round(len(steps) * wanted / rate)
    if math.isclose(rate, wanted, rel_tol=1e-6):
        return steps
    position = np.minimum(np.arange(count) * (rate / wanted), len(steps) - 1)
    before = position.astype(np.int64)
    weight = (position - before)[:, None]
    after = np.minimum(before + 1, len(steps) - 1)
    return ((1 - weight) * steps[before] + weight * steps[after]).astype(np.float32)


def load_array(path: Path) -> NDArray[np.float32]:
    """(T, D) or (F, W, D) float32, finite, of a feature file. The header is compared with the size
    of the file first. AudioError."""
    file, size = open_regular(path, AudioError, MAX_FILE_BYTES)
    with file:
        _checked_header(file, size, path.name)
        file.seek(0)
        array = np.load(file, allow_pickle=False)
    with np.errstate(over="ignore"):  # a float64 beyond float32 becomes infinite, caught below
        array = array.astype(np.float32, copy=False)
    if not np.isfinite(array).all():
        raise AudioError(f"{path.name} holds values that are not finite numbers; make it again")
    return array


def _checked_header(file: BinaryIO, size: int, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type, compared with the `size` of the file in bytes. AudioError."""
    shape, dtype = _header(file, name)
    if dtype.kind != "f" or dtype.itemsize not in (2, 4, 8):
        raise AudioError(f"{name} holds {dtype}; save the features as float32")
    if len(shape) not in (2, 3) or min(shape) < 1:
        raise AudioError(
            f"{name} has shape {shape}; give (windows, steps, values) or (steps, values)"
        )
    needed, there = math.prod(shape) * dtype.itemsize, size - file.tell()
    if needed > there:
        raise AudioError(
            f"{name} is cut off: its header promises {needed} bytes and {there} are there; copy or "
            "make it again"
        )
    return shape, dtype


def _header(file: BinaryIO, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    try:
        shape, _, dtype = read_header(file)
    except ValueError:
        raise AudioError(f"{name} is not a .npy file; save the features with numpy.save") from None
    return shape, dtype
