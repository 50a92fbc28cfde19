"""Tracks of sound and feature files, for features alone: no avatar is needed."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from core.audio.features import track_for
from core.records.audio_track import AudioTrack
from core.records.avatar import Avatar
from core.records.camera import Camera
from core.records.feature_spec import FeatureSpec
from core.records.gaussians import Gaussians

CAMERA = Camera(np.eye(4), 100, 100, 8, 8, 16, 16)


def load_track(path: Path, spec: FeatureSpec) -> AudioTrack:
    """What an avatar that was trained on these features gets from the file."""
    empty = Gaussians(
        *(np.zeros(shape, np.float32) for shape in ((0, 3), (0, 3), (0, 4), 0, (0, 16, 3)))
    )
    return track_for(Avatar("head", empty, CAMERA, features=spec), path)
