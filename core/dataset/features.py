"""The sound features of a network and their normalisation.

A checkpoint does not say which features it was trained on, so an import has to choose; a training
computes mean and deviation from its own rows."""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..audio.windows import FLAT
from ..errors import ArgumentError, DatasetError, FeatureMismatchError
from ..formats.npy import read_header
from ..records.arrays import Float32
from ..records.feature_spec import FeatureSpec
from ..system.archives import ZIP_ERRORS
from ..system.files import open_regular

KINDS = ("log-mel", "deepspeech", "wav2vec2", "hubert")
STATS_FILE = "mel.npz"
MAX_FILE = 4 * 2**30  # bytes; it may also contain the bands of the whole clip, which are not read
MAX_ARRAY = 2**20  # bytes of one array that is read

# Parameter of the extractor -> (its name in a statistics file, default).
PARAMETERS: dict[str, tuple[str, float]] = {
    "sample_rate": ("sr", 16000),
    "n_fft": ("n_fft", 512),
    "win_length": ("win", 400),
    "hop_length": ("hop", 320),
    "n_mels": ("n_mels", 29),
    "fmin": ("fmin", 60),
    "fmax": ("fmax", 7600),
    "log_epsilon": ("log_eps", 1e-5),
}


def choose_features(
    kind: str, dim: int, dataset: Path | None = None, stats: Path | None = None
) -> FeatureSpec:
    """The features of a network that takes `dim` values a step. kind: "auto" means log-mel if
    statistics are given or the dataset contains mel.npz, else DeepSpeech. Without statistics,
    log-mel is normalised per clip. Before and after a sound, log-mel uses the features of silence
    instead of the official zeros, which are a mean spectrum and open the mouth."""
    if stats is None and dataset is not None and (dataset / STATS_FILE).exists():
        stats = dataset / STATS_FILE if kind in ("auto", "log-mel") else None
    if kind == "auto":
        kind = "deepspeech" if stats is None else "log-mel"
    if kind not in KINDS:
        raise ArgumentError(
            f"features {kind!r} are unknown; choose auto or one of {', '.join(KINDS)}"
        )
    if kind != "log-mel":
        if stats is not None:
            raise ArgumentError(
                f"feature statistics belong to log-mel, not to {kind}; leave one out"
            )
        return FeatureSpec(kind, dim)
    found = {} if stats is None else read_stats(stats)
    parameters = {
        key: _plain(found[name]) if name in found else default
        for key, (name, default) in (PARAMETERS | {"n_mels": ("n_mels", dim)}).items()
    }
    if stats is None:
        return FeatureSpec(
            kind, dim, parameters=parameters, normalisation="clip", outside="silence"
        )
    mean, std = (tuple(float(v) for v in found[key].ravel()) for key in ("mean", "std"))
    if len(mean) != dim or len(std) != dim or parameters["n_mels"] != dim:
        raise FeatureMismatchError(
            f"{stats} describes {len(mean)} mel bands, the network takes {dim} values a step; "
            "give the statistics of its own training sound"
        )
    return FeatureSpec(
        kind,
        dim,
        parameters=parameters,
        normalisation="fixed",
        mean=mean,
        std=std,
        outside="silence",
    )


def _plain(value: NDArray[Any]) -> int | float:
    number = float(value.ravel()[0])
    return int(number) if number.is_integer() else number


def read_stats(path: Path) -> dict[str, NDArray[Any]]:
    """mean, std (both needed) and the extractor's parameters of a statistics file."""
    scalars = [name for name, _ in PARAMETERS.values()]
    file, _ = open_regular(path, DatasetError, MAX_FILE)
    found = {}
    try:
        with file, zipfile.ZipFile(file) as archive:
            names = archive.namelist()
            for key in ("mean", "std", *scalars):
                if f"{key}.npy" in names:
                    with archive.open(f"{key}.npy") as member:
                        found[key] = _array(member.read(MAX_ARRAY + 1))
    except ZIP_ERRORS:
        raise DatasetError(f"{path} is not a valid .npz file of numbers; write it again") from None
    for key in ("mean", "std"):
        if key not in found:
            raise DatasetError(
                f"{path} has no array {key!r}; it must contain mean and std per band"
            )
    sane = all(v.size and np.isfinite(v).all() for v in found.values())
    if (
        not sane
        or found["std"].min() <= 0
        or any(found[k].size != 1 for k in scalars if k in found)
    ):
        raise DatasetError(f"{path}: mean, std and parameters must be finite, std above 0")
    return found


def _array(data: bytes) -> NDArray[Any]:
    """A small .npy of numbers. ValueError if its header and the length of `data` disagree."""
    stream = io.BytesIO(data)
    shape, _, dtype = read_header(stream)
    if dtype.kind not in "fiu" or math.prod(shape) * dtype.itemsize != len(data) - stream.tell():
        raise ValueError("not a small array of numbers")
    return np.frombuffer(data, dtype, offset=stream.tell()).astype(np.float64)


def fixed(raw: FeatureSpec, steps: Float32) -> FeatureSpec:
    """`raw` normalised by mean and deviation of `steps` (T, D). A value that never changes in them
    becomes 0."""
    mean, std = steps.mean(0, dtype=np.float64), steps.std(0, dtype=np.float64)
    std = np.where(std < FLAT, 1.0, std)
    return replace(raw, normalisation="fixed", mean=tuple(mean.tolist()), std=tuple(std.tolist()))


def steps_of_rows(steps: Float32, rows: Sequence[int], stride: int) -> Float32:
    """(T', D): the `stride` steps that begin in each of `rows`, as far as `steps` (T, D) reach."""
    places = (np.array(rows, np.int64)[:, None] * stride + np.arange(stride)).ravel()
    return steps[places[places < len(steps)]]
