"""One moment: all inputs of the network except the sound."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Moment:
    """seconds: time in the sound, possibly outside it. eye: closure in [0, 1]. pose: (12,) float32
    head pose from `camera.pose_vector`. strength: factor of the learnt deformation (1 as trained, 0
    the canonical head). mouth_gain: how far the sound moves the head away from silence (0 silent, 1
    as trained). opacity, colour_gain: factors of every opacity and of the final colour. At exactly
    1.0 a control changes nothing. approximate: freeze Gaussians that speech hardly moves
    (network/frozen.py), if they were measured for the avatar and freezing saves time: on a CPU.
    body_pose: (12,) float32 pose of the body's frame, None where it stands as at the still pose."""

    seconds: float
    eye: float
    pose: NDArray[np.float32]
    strength: float = 1.0
    mouth_gain: float = 1.0
    opacity: float = 1.0
    colour_gain: float = 1.0
    approximate: bool = False
    body_pose: NDArray[np.float32] | None = None
