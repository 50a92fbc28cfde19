"""What the phonetic network's blocks hold of a film: the sounds of a real voice show there better
than in the 22 classes that are read from them for all speakers."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..audio import phonetic
from ..audio.features import track_from_waveform
from ..audio.mouth import binned
from ..dataset.clip import TrainingClip
from ..dataset.sound import track_of
from ..records.arrays import Float32, Float64
from ..records.audio_track import AudioTrack
from ..records.feature_spec import FeatureSpec
from ..records.voice import Waveform

# The parts of a window of 16 steps, each of two, at which the blocks are read; they know what is
# farther away by themselves.
PARTS = (3, 4, 5)
STEPS = 2
WINDOW_PARTS = 8


@dataclass(frozen=True, eq=False)
class Layers:
    """The blocks around each frame. track: windows of the steps of PARTS. spec: its features."""

    track: AudioTrack
    spec: FeatureSpec

    def at(self, windows: Float32) -> Float64:
        """(R, PARTS * LAYERS) of windows of the track."""
        return binned(windows[:, :, phonetic.DIM :], len(PARTS))

    def of_sound(self, sound: Waveform) -> AudioTrack:
        """The same of another sound."""
        return track_from_waveform(sound, self.spec)


def layers_of(clip: TrainingClip, spec: FeatureSpec) -> Layers | None:
    """None if `spec` are not phonetic features in windows of which PARTS are parts."""
    if not has_layers(spec):
        return None
    every = reading(spec, np.eye(phonetic.LAYERS, dtype=np.float32))
    narrow = replace(every, window=STEPS * len(PARTS), pad=spec.pad - STEPS * PARTS[0])
    return Layers(track_of(clip, narrow), narrow)


def has_layers(spec: FeatureSpec) -> bool:
    return spec.kind == phonetic.KIND and spec.window == STEPS * WINDOW_PARTS


def reading(spec: FeatureSpec, own: Float32) -> FeatureSpec:
    """The features with values of their own: own (K, LAYERS), the weights of each."""
    given = [float(value) for value in own.ravel()]
    return replace(
        spec,
        dim=spec.dim + len(own),
        parameters={**spec.parameters, phonetic.OWN: given},
        mean=(*spec.mean, *[0.0] * len(own)),
        std=(*spec.std, *[1.0] * len(own)),
    )
