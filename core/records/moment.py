"""One moment: all that enters the network in addition to the sound."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Moment:
    """seconds: time in the sound, may lie before or after it. eye: closure in [0, 1].
    pose: (12,) float32 head pose as `camera.pose_vector` makes it. strength: how much of the
    learnt deformation is applied (1 as trained, 0 the canonical head). mouth_gain: how far the
    sound moves the head away from silence (0 silent, 1 as trained). opacity, colour_gain: factors
    of every opacity and of the final colour. At exactly 1.0 a control does nothing at all.
    approximate: freeze the Gaussians that the voice hardly moves (network/frozen.py), where they
    were measured for the avatar and where it saves anything: on a CPU."""

    seconds: float
    eye: float
    pose: NDArray[np.float32]
    strength: float = 1.0
    mouth_gain: float = 1.0
    opacity: float = 1.0
    colour_gain: float = 1.0
    approximate: bool = False
