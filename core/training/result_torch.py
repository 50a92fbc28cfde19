"""A trained head as an avatar."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from ..audio.spec import FeatureSpec
from ..avatar.dataset import load_dataset
from ..avatar.record import Avatar, Track
from .clip_frames import TrainingClip
from .config import TrainConfig
from .head_torch import Head


def avatar_of(
    head: Head,
    clip: TrainingClip,
    spec: FeatureSpec,
    config: TrainConfig,
    name: str,
    licence: str,
    facts: Mapping[str, Any],
) -> Avatar:
    """facts: about the training, JSON values, kept as the avatar's provenance. DatasetError where
    the plates cannot be read."""
    dataset = load_dataset(clip.folder)
    viewmats = clip.viewmats
    whole = np.isfinite(viewmats).all(axis=(1, 2))
    track = Track(viewmats[whole].astype(np.float32), clip.eyes[whole])
    settings = asdict(config)
    weights = replace(head.network.to_weights())
    return Avatar(
        name=name,
        gaussians=head.gaussians(),
        camera=dataset.camera,
        network=weights,
        features=spec,
        plates=dataset.plates,
        track=track,
        licence=licence,
        provenance={"source": "trained here", "settings": settings, **facts},
    )
