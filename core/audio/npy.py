"""Feature files from other programs: .npy arrays of ready windows or of steps, never of objects."""

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
from .waveform import MAX_SECONDS
from .windows import check_spec, normalise, windowed

MAX_FILE_BYTES = 1 << 34


def track_from_npy(
    path: Path, spec: FeatureSpec, seconds: float | None = None, rate: float | None = None
) -> AudioTrack:
    """The track of a feature file of half, single or double floats.

    (F, W, D): ready windows, 25 a second, in the official order. Used unchanged: their author
    decides whether they are normalised (DeepSpeech's are not, the talker clip's are).
    (T, D): raw steps at `rate` a second (or over `seconds`; neither: at the avatar's rate). They
    are resampled linearly to the avatar's rate, normalised as its header says, and windowed.

    AudioError: not a feature file, cut off, not finite. FeatureMismatchError: sizes other than the
    avatar's. ArgumentError: an impossible `rate` or `seconds`."""
    path = Path(path)
    check_spec(spec)
    array = load_array(path)
    if array.ndim == 3:
        _check_windows(array.shape, spec, path.name)
        return AudioTrack(np.ascontiguousarray(array))
    if array.shape[1] != spec.dim:
        raise FeatureMismatchError(
            f"{path.name} has {array.shape[1]} values a step and the avatar was trained on "
            f"{spec.kind} features of {spec.dim}; give features of that kind"
        )
    steps = _at_rate(array, spec.rate, _rate_of(len(array), spec.rate, seconds, rate))
    return windowed(normalise(steps, spec), spec, -(-len(steps) // spec.stride))


def rows_of_npy(path: Path, spec: FeatureSpec) -> int:
    """The rows of track_from_npy, by the file's header alone. AudioError, FeatureMismatchError."""
    file, size = open_regular(path, AudioError, MAX_FILE_BYTES)
    with file:
        shape, _ = _checked_header(file, size, path.name)
    if len(shape) == 3:
        _check_windows(shape, spec, path.name)
        return shape[0]
    return -(-shape[0] // spec.stride)


def _check_windows(shape: tuple[int, ...], spec: FeatureSpec, name: str) -> None:
    wanted = (spec.window, spec.dim)
    if shape[1:] == wanted:
        return
    turned = shape[1:] == wanted[::-1]
    step = "swap its last two axes" if turned else "give features of that kind"
    raise FeatureMismatchError(
        f"{name} has windows of {shape[1]} x {shape[2]} and the avatar was trained on {spec.kind} "
        f"windows of {spec.window} steps x {spec.dim} values; {step}"
    )


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
