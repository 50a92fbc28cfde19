"""The seam between the network's implementations and everything that uses them."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..audio.track import AudioTrack
from ..gaussians import Splats
from ..moment import Moment
from ..timeline import row_of_seconds

Float32 = NDArray[np.float32]


class Deformer(Protocol):
    """One avatar, prepared: all that does not depend on the frame is computed already."""

    def encode_audio(self, windows: Float32) -> Float32:
        """windows (8, D, W) -> code (32,): AudioNet and AudioAttNet (reference note §3.4)."""
        ...

    def deform(self, code: Float32, eye: float, pose: Float32, strength: float) -> Splats:
        """code (32,), eye closure in [0, 1], pose (12,), strength (1 as trained) -> Splats."""
        ...


def splats_at(deformer: Deformer, track: AudioTrack, moment: Moment) -> Splats:
    """The head at one moment. Between two rows of the track the audio codes are mixed linearly, so
    that any scene frame rate moves smoothly; on a row the result is the official one."""
    row, weight = row_of_seconds(moment.seconds)
    code = deformer.encode_audio(track.around(row))
    if weight:
        following = deformer.encode_audio(track.around(row + 1))
        code = np.float32(1 - weight) * code + np.float32(weight) * following
    return deformer.deform(code, moment.eye, moment.pose, moment.strength)
