"""The avatar of a trained head."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from ..bake.backends import best_backend
from ..bake.freezing import freeze
from ..dataset.clip import TrainingClip
from ..dataset.idle import idle_track
from ..dataset.pictures import read_background
from ..dataset.track import filled
from ..records.arrays import Float64
from ..records.audio_track import AudioTrack
from ..records.avatar import Avatar, Background, Track
from ..records.feature_spec import FeatureSpec
from .head import Head
from .job import TrainJob


def background_for(clip: TrainingClip) -> tuple[Background, int]:
    """The background (with torso), and the frame that the torso comes from. Read before the
    training, so that a broken file is reported at its start. DatasetError."""
    torsos = clip.listing.torsos
    first = min(torsos, default=None)
    images = read_background(clip.folder, torsos, first, (clip.width, clip.height))
    return images, clip.train_rows[0] if first is None else first


def still_row(clip: TrainingClip, row: int) -> int:
    """The frame of the still pose: `row`, that of the torso, if it has a pose."""
    whole = row < len(clip) and np.isfinite(clip.viewmats[row]).all()
    return row if whole else clip.train_rows[0]


def track_of(clip: TrainingClip, bodies: Float64 | None = None) -> Track:
    """Poses and eyes of every frame that the dataset names; a frame without a pose takes the pose
    of the frame before it. bodies (F, 4, 4): poses of the body, if it moves."""
    rows = sorted({*clip.train_rows, *clip.val_rows, *clip.more_rows})
    track = idle_track(filled(clip.viewmats), clip.eyes, rows)
    if bodies is None:
        return track
    return replace(track, bodies=idle_track(bodies, clip.eyes, rows).viewmats)


def avatar_of(
    head: Head,
    clip: TrainingClip,
    spec: FeatureSpec,
    job: TrainJob,
    background: tuple[Background, int],
    facts: Mapping[str, Any],
    bodies: Float64 | None = None,
    landmarks: Float64 | None = None,
) -> Avatar:
    """background: from background_for; its frame gives the still pose. facts: about the training,
    JSON values, for the avatar's provenance. bodies: as in track_of. landmarks (68, 3): their mean
    places in the head's frame. A body takes the place of the background's torso."""
    images, row = background
    body = None if head.body is None else head.body.to_record()
    return Avatar(
        name=job.name or job.out.stem,
        gaussians=head.gaussians(),
        camera=clip.camera(still_row(clip, row)),
        network=head.network.to_weights(),
        features=spec,
        background=images if body is None else replace(images, torso=None),
        track=track_of(clip, bodies),
        licence=job.licence,
        provenance={"source": "trained here", "settings": asdict(job.config), **facts},
        body=body,
        landmarks=None if landmarks is None else landmarks.astype(np.float32),
    )


def with_frozen_gaussians(avatar: Avatar, track: AudioTrack, job: TrainJob) -> Avatar:
    """The avatar with the Gaussians that may be frozen, measured on the training's own sound."""
    frozen = freeze(avatar, track, job.dataset.resolve().name, best_backend())
    return replace(avatar, frozen_gaussians=frozen)
