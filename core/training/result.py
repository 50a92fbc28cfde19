"""A trained head as an avatar."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from ..bake.backends import best_backend
from ..bake.freezing import freeze
from ..dataset.clip import TrainingClip
from ..dataset.pictures import available_torsos, read_background
from ..records.audio_track import AudioTrack
from ..records.avatar import Avatar, Background, Track
from ..records.feature_spec import FeatureSpec
from .head import Head
from .job import TrainJob


def background_for(clip: TrainingClip) -> tuple[Background, int]:
    """What lies behind the head, and the frame whose torso that is. Read before a training: what
    is wrong with them must not show at its end. DatasetError."""
    torsos = available_torsos(clip.folder)
    first = torsos[0] if torsos else None
    images = read_background(clip.folder, first, torsos, (clip.width, clip.height))
    return images, clip.train_rows[0] if first is None else first


def track_of(clip: TrainingClip) -> Track:
    """Poses and eyes of every frame; a frame without a pose has that of the frame before it."""
    whole = np.asarray(np.isfinite(clip.viewmats).all(axis=(1, 2)))
    last = np.maximum.accumulate(np.where(whole, np.arange(len(whole)), 0))
    rows = np.where(whole[last], last, np.argmax(whole))
    return Track(clip.viewmats[rows].astype(np.float32), clip.eyes)


def avatar_of(
    head: Head,
    clip: TrainingClip,
    spec: FeatureSpec,
    job: TrainJob,
    images: tuple[Background, int],
    facts: Mapping[str, Any],
) -> Avatar:
    """plates: as plates_of gives them; the still pose is that frame's. facts: about the training,
    JSON values, kept in the avatar's provenance."""
    behind, row = images
    whole = row < len(clip) and np.isfinite(clip.viewmats[row]).all()
    return Avatar(
        name=job.name or job.out.stem,
        gaussians=head.gaussians(),
        camera=clip.camera(row if whole else clip.train_rows[0]),
        network=head.network.to_weights(),
        features=spec,
        background=behind,
        track=track_of(clip),
        licence=job.licence,
        provenance={"source": "trained here", "settings": asdict(job.config), **facts},
    )


def with_held(avatar: Avatar, track: AudioTrack, job: TrainJob) -> Avatar:
    """The avatar with what may be held still, measured on the training's own sound."""
    frozen = freeze(avatar, track, job.dataset.resolve().name, best_backend())
    return replace(avatar, frozen_gaussians=frozen)
