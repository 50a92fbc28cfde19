"""A trained head as an avatar."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from ..audio.spec import FeatureSpec
from ..avatar.dataset import load_dataset
from ..avatar.record import Avatar, Track
from .clip_frames import TrainingClip
from .head_torch import Head
from .job import TrainJob


def avatar_of(
    head: Head, clip: TrainingClip, spec: FeatureSpec, job: TrainJob, facts: Mapping[str, Any]
) -> Avatar:
    """facts: about the training, JSON values, kept in the avatar's provenance. DatasetError where
    the plates cannot be read."""
    dataset = load_dataset(clip.folder)
    whole = np.isfinite(clip.viewmats).all(axis=(1, 2))
    return Avatar(
        name=job.name or job.out.stem,
        gaussians=head.gaussians(),
        camera=dataset.camera,
        network=head.network.to_weights(),
        features=spec,
        plates=dataset.plates,
        track=Track(clip.viewmats[whole].astype(np.float32), clip.eyes[whole]),
        licence=job.licence,
        provenance={"source": "trained here", "settings": asdict(job.config), **facts},
    )
