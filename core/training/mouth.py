"""The mouth's shape as a few numbers: measured from landmarks, and heard from the sound.

A network that hears all features of a short clip learns the clip by heart. So the sound reaches it
as numbers of the mouth's shape alone, as the eyes reach it as their closure: a ridge regression,
fitted once (mouth_fit.py), predicts them from a window of features. In training, frames with
landmarks have the measured numbers instead, so that the network learns to show exactly what it is
given."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..audio.mouth import mouth_track
from ..dataset.clip import TrainingClip
from ..dataset.landmarks import LOWER_INNER, MOUTH, STATIC, UPPER_INNER, triangulate
from ..dataset.sound import track_of
from ..records.arrays import Float64
from ..records.audio_track import AudioTrack
from ..records.feature_spec import FeatureSpec
from .mouth_fit import fit_mouth
from .mouth_layers import layers_of
from .mouth_shut import detect

SHAPES = 3  # numbers beside the gap between the lips
MIN_ROWS = 100  # 4 s with landmarks
MIN_GAP = 0.005  # decimetres; a gap that deviates less from its mean tells nothing


@dataclass(frozen=True, eq=False)
class HeardMouth:
    """spec: of the features, with the map to the numbers. heard: the track that the avatar gives to
    its network. shown: the same with the measured numbers in the rows that have them. correlation:
    of the heard gap with the measured one, on parts of the clip that the regression did not see."""

    spec: FeatureSpec
    heard: AudioTrack
    shown: AudioTrack
    correlation: float


def heard_mouth(
    clip: TrainingClip, track: AudioTrack, spec: FeatureSpec, rows: tuple[int, ...]
) -> HeardMouth | str:
    """The mouth's numbers of a track of windows that this program computes, learnt from `rows`. A
    string says why the clip cannot give them."""
    chosen = np.array([row for row in rows if np.isfinite(clip.landmarks[row]).all()], np.int64)
    if len(chosen) < MIN_ROWS:
        return f"only {len(chosen)} frames have landmarks, {MIN_ROWS} are needed"
    places = triangulate(
        clip.landmarks[chosen], clip.viewmats[chosen], clip.focal, (clip.width / 2, clip.height / 2)
    )
    if places is None:
        return "the head turns too little to give its landmarks a depth"
    moved = moved_landmarks(clip, places, chosen)
    numbers = mouth_numbers(moved)
    if numbers is None:
        return "the mouth hardly moves"
    layers, detected = layers_of(clip, spec), detect(clip, spec, chosen)
    spec, correlation = fit_mouth(track, spec, layers, detected, numbers, chosen)
    out = mouth_track(track, spec) if spec.dim == track.windows.shape[2] else track_of(clip, spec)
    windows = out.windows.copy()
    windows[chosen + out.margin, 0] = numbers
    return HeardMouth(spec, out, replace(out, windows=windows), correlation)


def moved_landmarks(clip: TrainingClip, places: Float64, rows: NDArray[np.int64]) -> Float64:
    """(R, 68, 2) x and y in the head's frame, decimetres: by how much each landmark is away from
    its mean place (68, 3), seen at the depth of that place; points that speech does not move are
    still on average, which takes out most of the errors of the poses."""
    views = clip.viewmats[rows]
    rotations = views[:, :3, :3]
    camera = np.einsum("rij,pj->rpi", rotations, places) + views[:, None, :3, 3]
    middle = np.array([clip.width / 2, clip.height / 2])
    pixels = camera[..., :2] / camera[..., 2:] * clip.focal + middle
    away = clip.landmarks[rows] - pixels
    away = away - away[:, list(STATIC)].mean(axis=1, keepdims=True)
    away = away * camera[..., 2:] / clip.focal
    # Rotated back into the head's frame, with no movement in depth.
    return np.asarray(np.einsum("rji,rpj->rpi", rotations[:, :2], away)[..., :2])


def mouth_numbers(moved: Float64) -> Float64 | None:
    """(R, 1 + SHAPES) of (R, 68, 2): the gap between the lips, then the strongest movements of the
    mouth that the gap does not explain (principal components), each with mean 0 and deviation 1.
    None if the gap hardly changes."""
    gap = (moved[:, list(UPPER_INNER), 1] - moved[:, list(LOWER_INNER), 1]).mean(axis=1)
    if gap.std() < MIN_GAP:
        return None
    gap = (gap - gap.mean()) / gap.std()
    mouth = moved[:, MOUTH].reshape(len(moved), -1)
    mouth = mouth - mouth.mean(axis=0)
    mouth = mouth - np.outer(gap, gap @ mouth / len(gap))
    _, _, axes = np.linalg.svd(mouth, full_matrices=False)
    others = mouth @ axes[:SHAPES].T
    return np.column_stack([gap, others / others.std(axis=0)])
