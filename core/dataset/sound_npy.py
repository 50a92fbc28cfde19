"""Features of a clip's sound that another program computed: their files and their spec."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..audio.npy import load_features
from ..audio.windows import check_spec, normalise, windowed
from ..errors import ArgumentError, AudioError, DatasetError
from ..records.arrays import Float32
from ..records.audio_track import AudioTrack
from ..records.feature_spec import FeatureSpec
from .clip import TrainingClip
from .features import fixed, steps_of_rows

# Kind -> files of a dataset in which the field's scripts store it.
FILE_KINDS: dict[str, tuple[str, ...]] = {
    "deepspeech": ("aud_ds.npy", "aud.npy"),
    "wav2vec2": ("aud_eo.npy", "aud_wav2vec.npy"),
    "hubert": ("aud_hu.npy",),
}
MORE = "_more"  # at the end of the name of the file for the rows from more_start on


def track_from_files(
    clip: TrainingClip, kind: str, files: Sequence[Path]
) -> tuple[AudioTrack, FeatureSpec]:
    """The track and spec of one or two .npy files (see training_track), in any shape that
    audio/npy.py reads. Ready windows are used unchanged; steps are normalised by mean and deviation
    of the training rows. DatasetError: none found. AudioError: a file that cannot be used."""
    paths = [Path(path) for path in files] or _found(clip, kind)
    if len(paths) > 2 or (len(paths) == 2 and not clip.more_rows):
        raise ArgumentError(
            f"{len(paths)} feature files for a clip of {1 + bool(clip.more_rows)} sounds; give one "
            "for each"
        )
    arrays = [load_features(path) for path in paths]
    if len({(array.ndim, array.shape[-1]) for array in arrays}) != 1:
        raise AudioError(
            f"{paths[0].name} and {paths[1].name} are not of one kind: {arrays[0].shape} and "
            f"{arrays[1].shape}; make both by the same program"
        )
    spec = FeatureSpec(kind, arrays[0].shape[-1])
    check_spec(spec)
    ready = arrays[0].ndim == 3
    joined = _joined(arrays, clip.more_start * (1 if ready else spec.stride))
    if ready:
        return AudioTrack(joined), spec
    spec = fixed(spec, steps_of_rows(joined, clip.rows_in_sound(clip.train_rows), spec.stride))
    return windowed(normalise(joined, spec), spec, -(-len(joined) // spec.stride)), spec


def _found(clip: TrainingClip, kind: str) -> list[Path]:
    """The dataset's own file of that kind and, if there are frames of transforms_more.json and it
    exists, the one for them."""
    for name in FILE_KINDS[kind]:
        path = clip.folder / name
        if path.is_file():
            more = path.with_stem(path.stem + MORE)
            return [path, more] if clip.more_rows and more.is_file() else [path]
    names = " or ".join(FILE_KINDS[kind])
    raise DatasetError(
        f"{clip.folder} has no {names}; make the {kind} features of its sound and give the .npy "
        "file, or train on features that are computed here: log-mel"
    )


def _joined(arrays: list[Float32], start: int) -> Float32:
    """One array, or the first up to `start` entries (padded with zeros) followed by the second."""
    if len(arrays) == 1:
        return arrays[0]
    first = np.zeros((start, *arrays[0].shape[1:]), np.float32)
    first[: len(arrays[0])] = arrays[0][:start]
    return np.concatenate([first, arrays[1]])
